// Where this process runs, told by the variables platforms set.
import { existsSync } from 'node:fs';
import type { Source } from '../../deploy/reading.ts';
import type { PlatformId } from '../verdict/where-to-type.ts';

export type Platform = { readonly id: PlatformId; readonly name: string };

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
export function detectPlatform(source: Source, { inContainer }: { inContainer: boolean }): Platform {
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
