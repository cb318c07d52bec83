// Where people type a variable on the platform the relay runs on, and what makes it take effect there.

const platformIds = [
  'coolify',
  'render',
  'railway',
  'fly',
  'heroku',
  'kubernetes',
  'docker',
  'plain',
] as const;

export type PlatformId = (typeof platformIds)[number];

export const isPlatformId = (name: string | undefined): name is PlatformId =>
  platformIds.some((known) => known === name);

/** What to do on this platform so that the relay gets these variables. */
export function whereToType(platform: PlatformId, variables: readonly string[]): string {
  const them = variables.length === 0 ? 'the variable' : listed(variables);
  const example = variables[0] ?? 'SMTP_HOST';
  switch (platform) {
    case 'coolify':
      return `Coolify: open the resource, Environment Variables, edit ${them} (tick "Is Literal?" when the value holds a $), save, then Redeploy or Restart there: saving alone changes nothing in a running container.`;
    case 'render':
      return `Render: open the service that runs the relay, Environment, edit ${them}, and save with a deploy.`;
    case 'railway':
      return `Railway: open the service that runs the relay, Variables, edit ${them}, and deploy the change.`;
    case 'fly':
      return `Fly.io: type  fly secrets set ${example}='…'  (it restarts the machines).`;
    case 'heroku':
      return `Heroku: type  heroku config:set ${example}='…'  (it restarts the dynos).`;
    case 'kubernetes':
      return `Kubernetes: edit ${them} in the Secret or ConfigMap (values made with printf %s, not echo) and type  kubectl rollout restart deployment/relay .`;
    case 'docker':
      return `Docker Compose: edit ${them} in the file .env beside docker-compose.yml (a value with $ in single quotes), then type  docker compose up -d postern-relay  (restart alone keeps the old values).`;
    case 'plain':
      return `Here: edit ${them} in the file .env of this checkout, or type  export ${example}='…'  , then start the relay again.`;
  }
}

/** The variables that a text names, each once, in the order of their names' first use. */
export function variablesIn(text: string): string[] {
  return [
    ...new Set(
      text.match(/\b(?:SMTP2?|RELAY|DELIVERY|UNCERTAIN|QUEUE|RETRY)_(?!_)[A-Z0-9_]*[A-Z0-9]\b/g) ?? [],
    ),
  ];
}

function listed(variables: readonly string[]): string {
  return variables.length < 2
    ? (variables[0] ?? '')
    : `${variables.slice(0, -1).join(', ')} and ${variables.at(-1)}`;
}
