// How fast mail passes through: from the first octet in to the provider's last 250, in one run, so that accepting and
// delivering share the machine as they do in life. The same sender, the same provider and as many connections against
// Postfix; and how long one mail takes when there is nothing else to do.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createTemplate, freshDatabase } from '../kit/database.ts';
import { startPostgres } from '../kit/postgres.ts';
import { type Provider, startProvider } from '../kit/provider.ts';
import { type Stack, startStack } from '../kit/stack.ts';
import { connect } from '../kit/transcript.ts';
import { until } from '../kit/until.ts';
import { type Benchmark, type Measurement, median } from './measurement.ts';
import { measureSource, startPostfix, startSink, whyNoPostfix } from './postfix.ts';
