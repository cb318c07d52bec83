// Writes the notices that are owed whenever some may be: one run at a time, and once more when something was stored
// meanwhile.
import type { DeliveryContext } from '../context.ts';
import { writeNotices } from './write.ts';

export type NoticeWriter = {
  /** Resolves when what was owed at this moment is written. Never rejects. */
  write(): Promise<void>;
};

/** @param written called when notices wait in the queue */
export function openNoticeWriter(context: DeliveryContext, written: () => void): NoticeWriter {
  const { database, settings, log, stopping, tryTo } = context;
  let running: Promise<void> | undefined;
  let again = false;

  async function writeDue(): Promise<void> {
    const { from } = settings;
    if (!from) return;
    const remoteMta = settings.providers[0]?.host ?? null;
    const count = await tryTo('writing notices', () =>
      writeNotices(database, { from, remoteMta }, (error, queueId) =>
        log.error(
          { err: error, event: 'notice-failed', queueId },
          'Notice to a submitter could not be stored yet',
        ),
      ),
    );
    if (count) written();
  }

  async function run(): Promise<void> {
    while (again && !stopping.aborted) {
      again = false;
      await writeDue();
    }
  }

  function write(): Promise<void> {
    again = true;
    running ??= run().finally(() => {
      running = undefined;
      // Something was stored after the last look.
      if (again && !stopping.aborted) void write();
    });
    return running;
  }

  return { write };
}
