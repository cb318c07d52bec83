// The alert rules do what they say, as Prometheus itself computes them.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const folder = import.meta.dirname;

/** Debian's package `prometheus` brings it; .ci/run installs that. */
const hasPromtool = await run('promtool', ['--version']).then(
  () => true,
  () => false,
);
if (!hasPromtool) console.warn('Skipped the unit tests of the alert rules: there is no promtool.');

test.skipIf(!hasPromtool)(
  'every alert rule fires when it should, and PosternFault for the very first fault',
  async () => {
    const { stdout } = await run('promtool', ['test', 'rules', `${folder}/alerts.promtool.yml`]);
    expect(stdout).toContain('SUCCESS');
  },
);
