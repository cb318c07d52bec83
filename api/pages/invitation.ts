// Where the link of an invitation leads. Opening it changes nothing: the token stands behind the `#`, so it does
// not even reach us before the owner presses the button, and then by POST.
import { Router } from 'express';
import { sendPage } from './page.ts';

const script = `
const token = new URLSearchParams(location.hash.slice(1)).get('token');
const button = document.querySelector('button');
const say = (text) => { document.querySelector('#outcome').textContent = text; };
if (!token) { button.disabled = true; say('This link is incomplete. Please open the complete link from the email.'); }
button.addEventListener('click', async () => {
  button.disabled = true;
  try {
    const response = await fetch('/api/invitations/accept', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token }),
    });
    const answer = await response.json();
    if (response.ok) say('Welcome, ' + answer.owner.name + '. The invitation is accepted.');
    else { say(answer.detail); button.disabled = response.status < 500; }
  } catch {
    say('The action failed. Please try again.');
    button.disabled = false;
  }
});
`;

const body = `
<h1>You are invited</h1>
<p>Press the button to accept the invitation.</p>
<p><button type="button">Accept the invitation</button></p>
<p id="outcome" role="status"></p>
<noscript><p>Accepting needs JavaScript in this browser.</p></noscript>`;

export function invitationPages(): Router {
  const router = Router();
  router.get('/invitation', (_request, response) => {
    sendPage(response, { title: 'Invitation', body, script: '/invitation.js' });
  });
  router.get('/invitation.js', (_request, response) => {
    response.set('content-type', 'text/javascript; charset=utf-8').end(script);
  });
  return router;
}
