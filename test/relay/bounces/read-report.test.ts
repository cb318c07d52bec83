import { describe, expect, test } from 'vitest';
import { readReport } from '../../../relay/bounces/read-report.ts';
import { noReports } from './reports/none.ts';
import { inWords } from './reports/plain.ts';
import { structured } from './reports/structured.ts';

describe.each([
  ['reports with a part for machines', structured],
  ['reports in words only', inWords],
  ['mail that is no report', noReports],
])('%s', (_, samples) => {
  test.each(samples.map((sample) => [sample.name, sample] as const))(
    '%s',
    async (_name, { eml, expected }) => {
      const crlf = eml.replaceAll('\n', '\r\n');
      for (const bytes of [Buffer.from(eml), Buffer.from(crlf)]) {
        const reading = await readReport(bytes);
        const read = reading.outcome === 'report' ? reading.recipients : [];
        expect(read).toHaveLength(expected.length);
        expect(read).toMatchObject(expected.map((each) => ({ action: 'failed', ...each })));
      }
    },
  );
});
