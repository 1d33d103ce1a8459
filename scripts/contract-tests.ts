/** The tests of a run, read from Jest's reports, and the search for one by its title in the source. */
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { z } from 'zod';

export interface TestRun {
  /** The path of its file in the repository. */
  spec: string;
  title: string;
  status: string;
}

const report = z.object({
  testResults: z.array(
    z.object({ name: z.string(), assertionResults: z.array(z.object({ title: z.string(), status: z.string() })) }),
  ),
});

export function testsIn(root: string, reports: readonly string[]): TestRun[] {
  return reports.flatMap((path) =>
    report
      .parse(JSON.parse(readFileSync(path, 'utf8')))
      .testResults.flatMap(({ name, assertionResults }) =>
        assertionResults.map((test) => ({ spec: relative(root, name), ...test })),
      ),
  );
}

/** Finds the tests that ran under the title. A `%s` or `$name` in the title stands for any text. */
export function matching(tests: readonly TestRun[], [spec, title]: readonly [string, string]): TestRun[] {
  const pattern = title
    .split(/%[sji]|\$[a-z]+/)
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('[^]*');
  return tests.filter((test) => test.spec === spec && new RegExp(`^${pattern}$`).test(test.title));
}
