// Where this process runs, told by the variables platforms set, and where people type variables there.
import { existsSync } from 'node:fs';
import type { Source } from '../../deploy/reading.ts';

export type PlatformId =
  | 'coolify'
  | 'render'
  | 'railway'
  | 'fly'
  | 'heroku'
  | 'kubernetes'
  | 'docker'
  | 'plain';

export type Surroundings = { readonly id: PlatformId; readonly name: string };

const names: Readonly<Record<PlatformId, string>> = {
  coolify: 'Coolify',
  render: 'Render',
  railway: 'Railway',
  fly: 'Fly.io',
  heroku: 'Heroku',
  kubernetes: 'Kubernetes',
  docker: 'Docker',
  plain: 'no platform (a plain process)',
};

/** The specific comes first: Coolify, Render and Railway run containers as well. */
export function detectPlatform(source: Source, { inContainer }: { inContainer: boolean }): Surroundings {
  const has = (pattern: RegExp) =>
    Object.entries(source).some(([name, value]) => pattern.test(name) && value !== undefined && value !== '');
  const id: PlatformId = has(/^COOLIFY_/)
    ? 'coolify'
    : has(/^RENDER$|^RENDER_SERVICE_ID$/)
      ? 'render'
      : has(/^RAILWAY_(?:ENVIRONMENT|PROJECT_ID|SERVICE_ID)/)
        ? 'railway'
        : has(/^FLY_APP_NAME$/)
          ? 'fly'
          : has(/^DYNO$/)
            ? 'heroku'
            : has(/^KUBERNETES_SERVICE_HOST$/)
              ? 'kubernetes'
              : inContainer
                ? 'docker'
                : 'plain';
  return { id, name: names[id] };
}

/** Docker and Podman leave a mark in every container. */
export function isInContainer(): boolean {
  return existsSync('/.dockerenv') || existsSync('/run/.containerenv');
}

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
      return `Docker Compose: edit ${them} in the file .env beside docker-compose.yml (a value with $ in single quotes), then type  docker compose up -d relay  (restart alone keeps the old values).`;
    case 'plain':
      return `Here: edit ${them} in the file .env of this checkout, or type  export ${example}='…'  , then start the relay again.`;
  }
}

function listed(variables: readonly string[]): string {
  return variables.length < 2
    ? (variables[0] ?? '')
    : `${variables.slice(0, -1).join(', ')} and ${variables.at(-1)}`;
}
