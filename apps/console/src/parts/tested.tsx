/** When a restore from a region was tested last, how long it took, and how it ended. A test that failed is told before an older one that passed. */
import type { RestoreTest } from '@strongroom/contracts';
import { testStandOf, testWords } from '../restorable.js';
import { lengthOf } from '../times.js';
import { Instant } from './instant.js';
import { Mark } from './mark.js';

/** @param tests of the region, the newest first */
export function Tested({ tests, now }: { tests: readonly RestoreTest[]; now: Date }) {
  const [tone, word] = testWords[testStandOf(tests)];
  const [newest] = tests;
  if (!newest) return <Mark tone={tone}>{word}</Mark>;
  const passed = tests.find(({ outcome }) => outcome === 'passed');
  return (
    <>
      <Mark tone={tone}>{word}</Mark>
      {newest.fault && (
        <p class="quiet">
          <Instant at={newest.at} now={now} />: {newest.fault.message}
        </p>
      )}
      {passed && (
        <p class="quiet">
          {newest !== passed && 'passed before, '}
          <Instant at={passed.at} now={now} />, took {lengthOf(passed.seconds)}
          {passed.proof === 'files-compared' && ', no server was started'}
        </p>
      )}
    </>
  );
}
