// Server-sent events as the answer to a POST.
import { Problem } from './ask.js';

/** The events of an answer to a POST, which EventSource cannot ask for. Rejects with a Problem. */
export async function* eventsOf(path, body) {
  const response = await fetch(path, {
    method: 'POST',
    headers: { accept: 'text/event-stream', 'content-type': 'application/json', 'x-postern-dashboard': '1' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Problem(response.status, await response.json().catch(() => undefined));
  let text = '';
  for await (const piece of piecesOf(response.body.pipeThrough(new TextDecoderStream()))) {
    text += piece;
    const blocks = text.split('\n\n');
    text = blocks.pop();
    for (const block of blocks) {
      const field = (name) =>
        block
          .split('\n')
          .find((line) => line.startsWith(`${name}:`))
          ?.slice(name.length + 1)
          .trim();
      const data = field('data');
      if (data) yield { name: field('event') ?? 'message', data: JSON.parse(data) };
    }
  }
}

async function* piecesOf(stream) {
  const reader = stream.getReader();
  for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) yield value;
}
