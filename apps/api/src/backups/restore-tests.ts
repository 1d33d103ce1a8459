/** A restore that somebody has tested, as the API shows it: with the backup, and with what is restorable. */
import type { RestoreTest } from '@strongroom/contracts';
import type { TestedRestore } from '@strongroom/read-model';
import { faultResource } from './reasons.js';

export function restoreTestResource({ backupId, test }: TestedRestore): RestoreTest {
  const { region, at, by, seconds, proof, fault } = test;
  const outcome = fault === null ? 'passed' : 'failed';
  return { backup_id: backupId, region, outcome, at, seconds, proof, fault: faultResource(fault), by };
}
