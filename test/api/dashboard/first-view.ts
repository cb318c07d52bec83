// The first view of the dashboard as a browser has it: how long until the sentence that says whether mail can leave, what
// it asked for, and how much came over the line.
import type { BrowserContext, CDPSession } from 'playwright-core';
import { until } from '../../kit/until.ts';

type FirstView = {
  /** From the start of the navigation to the first frame that shows the verdict. */
  readonly usefulMs: number;
  /** Paths that were asked for over the line; what the browser had is not among them. */
  readonly asked: readonly string[];
  /** Bodies as they came over the line, of all of it. */
  readonly bytes: number;
};

/** One visit in a tab of its own, by somebody who is signed in. `slower`: how many times slower the processor is. */
export async function viewOf(
  context: BrowserContext,
  url: string,
  { slower = 1 }: { slower?: number } = {},
): Promise<FirstView> {
  const page = await context.newPage();
  const devtools = await context.newCDPSession(page);
  await devtools.send('Network.enable');
  await devtools.send('Emulation.setCPUThrottlingRate', { rate: slower });
  const traffic = watchTraffic(devtools);
  await page.addInitScript(watchForVerdict);
  await page.goto(url, { waitUntil: 'load' });
  const usefulMs = await until(() => page.evaluate<number>('window.usefulMs'), { what: 'the verdict' });
  // What the pieces below the verdict ask for is asked in the frames after it.
  let calm = 0;
  while (calm < 3) {
    await page.evaluate('new Promise((done) => requestIdleCallback(done))');
    calm = traffic.isQuiet() ? calm + 1 : 0;
  }
  await page.close();
  return { usefulMs, asked: traffic.asked(), bytes: traffic.bytes() };
}

// A message that is sent in a frame arrives after the frame was painted.
const watchForVerdict = `
  new MutationObserver((_, observer) => {
    if (!document.querySelector('.verdict .headline')) return;
    observer.disconnect();
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => { window.usefulMs = performance.now(); };
      port2.postMessage('painted');
    });
  }).observe(document, { childList: true, subtree: true });`;

function watchTraffic(devtools: CDPSession) {
  const paths = new Map<string, string>();
  const cached = new Set<string>();
  const open = new Set<string>();
  let bytes = 0;
  devtools.on('Network.requestWillBeSent', ({ requestId, request }) => {
    if (!request.url.startsWith('http')) return;
    paths.set(requestId, new URL(request.url).pathname);
    open.add(requestId);
  });
  devtools.on('Network.requestServedFromCache', ({ requestId }) => cached.add(requestId));
  devtools.on('Network.responseReceived', ({ requestId, response }) => {
    if (response.fromDiskCache) cached.add(requestId);
  });
  devtools.on('Network.dataReceived', ({ encodedDataLength }) => {
    bytes += encodedDataLength;
  });
  for (const over of ['Network.loadingFinished', 'Network.loadingFailed'] as const)
    devtools.on(over, ({ requestId }: { requestId: string }) => open.delete(requestId));
  return {
    /** Only the stream of what happens stays open. */
    isQuiet: () => [...open].every((id) => paths.get(id) === '/dashboard/stream'),
    asked: () => [...paths].filter(([id]) => !cached.has(id)).map(([, path]) => path),
    bytes: () => bytes,
  };
}
