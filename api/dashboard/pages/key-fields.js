// The fields of a key, for a new one and for one that is changed.
import { html } from './html.js';
import { Field } from './parts.js';

export function KeyFields({ its: key, maySend, children }) {
  return html`
    <${Field} label="Name" hint="What it is for, such as “Shop backend”."><input name="name" required maxlength="100" defaultValue=${key?.name ?? ''} /></${Field}>
    ${children}
    ${
      maySend &&
      html`
        <${Field} label="Senders" hint="Addresses and *@domain, with commas or one a line. Empty: whoever the relay allows.">
          <textarea name="senders" rows="2" defaultValue=${key?.senders.join('\n') ?? ''}></textarea></${Field}>
        <div class="halves">
          <${Field} label="Recipients an hour" hint="Empty: no limit."><input name="per_hour" type="number" min="1" max="10000000" defaultValue=${key?.per_hour ?? ''} /></${Field}>
          <${Field} label="Recipients a day" hint="Of UTC. Empty: no limit."><input name="per_day" type="number" min="1" max="10000000" defaultValue=${key?.per_day ?? ''} /></${Field}>
        </div>
        <${Field} label="Tags" hint="Such as app=shop, with commas or one a line. Its mail gets them."><textarea name="tags" rows="1" defaultValue=${key?.tags.map(({ name, value }) => `${name}=${value}`).join('\n') ?? ''}></textarea></${Field}>`
    }
    <${Field} label="Expires" hint="UTC. Empty: never."><input name="expires_at" type="datetime-local" defaultValue=${key?.expires_at?.slice(0, 16) ?? ''} /></${Field}>`;
}

/** What the form says, as the api takes it. */
export function settingsOf({ elements }) {
  const text = (name) => elements[name]?.value.trim();
  const list = (name) =>
    text(name)
      ?.split(/[\s,]+/)
      .filter(Boolean);
  return {
    name: text('name'),
    expires_at: text('expires_at') ? `${text('expires_at')}:00Z` : 'never',
    ...(elements.senders && {
      senders: list('senders'),
      per_hour: Number(text('per_hour')),
      per_day: Number(text('per_day')),
      tags: list('tags').map((tag) => {
        const [name, ...value] = tag.split('=');
        return { name, value: value.join('=') };
      }),
    }),
  };
}
