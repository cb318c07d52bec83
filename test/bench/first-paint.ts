// How long a person waits for the first page of the dashboard on a processor that is four times slower than this one.
// Cold is a browser that was never here; warm is one that has the files of before.
import { hasChromium, openBrowser, openPage, signIn } from '../api/dashboard/chromium.ts';
import { viewOf } from '../api/dashboard/first-view.ts';
import { type Measurement, median } from './measurement.ts';

const slower = 4;
const rounds = 9;

/** @param url of an api whose ADMIN_PASSWORD is that of the tests */
export async function measureFirstPaint(url: string, say: (line: string) => void): Promise<Measurement[]> {
  if (!hasChromium) return [];
  await using browser = await openBrowser();
  const first = await openPage(browser);
  await signIn(first, url);
  const storageState = await first.context().storageState();
  await first.context().close();
  const views = {
    cold: [] as Awaited<ReturnType<typeof viewOf>>[],
    warm: [] as Awaited<ReturnType<typeof viewOf>>[],
  };
  for (let round = 0; round < rounds; round++) {
    const context = await browser.newContext({ storageState });
    views.cold.push(await viewOf(context, url, { slower }));
    // The browser keeps what it compiled at the second visit; each one after that is like the third.
    await viewOf(context, url);
    views.warm.push(await viewOf(context, url, { slower }));
    await context.close();
  }
  return (['cold', 'warm'] as const).flatMap((name) => {
    const usefulMs = views[name].map((view) => view.usefulMs);
    say(
      `first useful paint, ${name}: ${median(usefulMs).toFixed(0)} ms, at most ${Math.max(...usefulMs).toFixed(0)} ms`,
    );
    const { asked = [] } = views[name].at(-1) ?? {};
    return [
      {
        what: `first useful paint, ${name}, on a ${slower} × slower CPU`,
        unit: 'ms',
        postern: median(usefulMs),
        target: name === 'cold' ? '≤ 2000' : '≤ 1000',
        detail: { ms: usefulMs.map(Math.round) },
      },
      {
        what: `requests of the first view, ${name}`,
        unit: '',
        postern: median(views[name].map((view) => view.asked.length)),
        target: '≤ 6',
        detail: { asked },
      },
      {
        what: `bytes of the first view, ${name}`,
        unit: 'B',
        postern: median(views[name].map((view) => view.bytes)),
        target: '≤ 120000',
      },
    ];
  });
}
