// The words of our mails: subject, text and HTML with `{{placeholders}}`, and nothing cleverer than that.
import { z } from 'zod';
import { line, prose } from '../fields.ts';

export type TemplateKind = 'invitation' | 'rejection';

export type Template = { readonly subject: string; readonly text: string; readonly html: string };

/** What each template may mention, with an example for its preview. */
export const placeholders = {
  invitation: {
    name: 'Ann Example',
    customer: 'Example Bakery',
    link: 'https://app.example.com/invitation#token=EXAMPLE',
    expires: 'Sunday, 1 March 2026 at 09:00 UTC',
  },
  rejection: {
    name: 'Ann Example',
    company: 'Example Bakery',
    reason: 'We only serve bakeries in Europe so far.',
  },
} as const satisfies Record<TemplateKind, Record<string, string>>;

export const standardTemplates: Readonly<Record<TemplateKind, Template>> = {
  invitation: {
    subject: 'Your invitation to {{customer}}',
    text: `Hello {{name}},

an account for {{customer}} has been set up for you. Please accept the invitation here:

{{link}}

The link works once, until {{expires}}. If you did not expect this email, you can ignore it.
`,
    html: `<!doctype html>
<html lang="en">
<body style="margin:0;padding:24px;background:#f4f4f2;color:#1d1d1b;font:16px/1.5 system-ui,sans-serif">
<div style="max-width:32em;margin:0 auto;padding:32px;background:#fff;border-radius:8px">
<p style="margin-top:0">Hello {{name}},</p>
<p>an account for <strong>{{customer}}</strong> has been set up for you.</p>
<p style="margin:28px 0"><a href="{{link}}" style="padding:12px 20px;border-radius:6px;background:#1a56db;color:#fff;text-decoration:none">Accept the invitation</a></p>
<p>If the button does not work, copy this address into your browser:<br><a href="{{link}}" style="word-break:break-all">{{link}}</a></p>
<p style="margin-bottom:0;color:#5c5c58;font-size:14px">The link works once, until {{expires}}. If you did not expect this email, you can ignore it.</p>
</div>
</body>
</html>
`,
  },
  rejection: {
    subject: 'Your application for {{company}}',
    text: `Hello {{name}},

thank you for applying with {{company}}. We are sorry that we cannot accept the application.

{{reason}}
`,
    html: `<!doctype html>
<html lang="en">
<body style="margin:0;padding:24px;background:#f4f4f2;color:#1d1d1b;font:16px/1.5 system-ui,sans-serif">
<div style="max-width:32em;margin:0 auto;padding:32px;background:#fff;border-radius:8px">
<p style="margin-top:0">Hello {{name}},</p>
<p>thank you for applying with <strong>{{company}}</strong>. We are sorry that we cannot accept the application.</p>
<p style="margin-bottom:0">{{reason}}</p>
</div>
</body>
</html>
`,
  },
};

/** Fills a template. Values are escaped in the HTML; in the subject they are one line already. */
export function render(template: Template, values: Readonly<Record<string, string>>): Template {
  return {
    subject: fill(template.subject, values, (value) => value),
    text: fill(template.text, values, (value) => value),
    html: fill(template.html, values, escapeHtml),
  };
}

const placeholder = /\{\{\s*([\w.]+)\s*\}\}/g;

function fill(
  pattern: string,
  values: Readonly<Record<string, string>>,
  quote: (value: string) => string,
): string {
  // A function, because `$&` in a value would mean something to String.replace.
  return pattern.replace(placeholder, (whole, name: string) =>
    Object.hasOwn(values, name) ? quote(values[name] ?? '') : whole,
  );
}

export const escapeHtml = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');

/** A template as an administrator may write it: it mentions only what it can be given. */
export function templateSchema(kind: TemplateKind) {
  const known = Object.keys(placeholders[kind]);
  const mentionsOnlyKnown = (text: string) =>
    [...text.matchAll(placeholder)].every(([, name = '']) => known.includes(name));
  const error = `may only mention ${known.map((name) => `{{${name}}}`).join(', ')}`;
  const template = z.strictObject({
    subject: line(200).refine(mentionsOnlyKnown, { error }),
    text: prose(100_000).min(1, 'must not be empty').refine(mentionsOnlyKnown, { error }),
    html: prose(500_000).min(1, 'must not be empty').refine(mentionsOnlyKnown, { error }),
  });
  if (kind !== 'invitation') return template;
  // An invitation without its link invites nobody.
  const hasLink = (text: string) => /\{\{\s*link\s*\}\}/.test(text);
  return template.extend({
    text: template.shape.text.refine(hasLink, { error: 'must mention {{link}}' }),
    html: template.shape.html.refine(hasLink, { error: 'must mention {{link}}' }),
  });
}
