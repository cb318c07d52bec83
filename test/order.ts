// The order of the test files. Chromium drops what it is loading whenever a network interface of the machine comes
// or goes (ERR_NETWORK_CHANGED), as Docker's do with every container. So the tests in a browser come first, and
// those that start containers or make network namespaces come last, the longest of them before the others.
import { relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The first pattern that fits a file says when it runs; what fits none runs second. */
const order: readonly (RegExp | undefined)[] = [
  /^test\/api\/dashboard\/(pages|causes|many)\./,
  undefined,
  /^test\/relay\/doctor\//,
  /^test\/stack\/lifecycle\./,
  /^test\/stack\/faults\./,
  /^test\/stack\/configuration\./,
  /^test\/stack\//,
];

export class Order extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const path = relative(this.ctx.config.root, moduleId);
      const found = order.findIndex((pattern) => pattern?.test(path));
      return found < 0 ? 1 : found;
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}
