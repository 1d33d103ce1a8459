/** The job of a server that is built from a backup. It never ends as long as the server is wanted. */
import { causedBy, streamOf } from '@strongroom/contracts';
import { askedWork, fold, instanceDecider } from '@strongroom/domain';
import { execute } from '@strongroom/ledger';
import type { JobKind, LeasedJob, Performed } from '@strongroom/runtime';
import type { SchedulerParts } from '../../scheduler-parts.js';
import { BuiltServer } from './built-server.js';

/** A process that keeps no servers leaves the jobs to those that do, which look far more often. */
const idlePollMs = 60_000;
/** For so long such a process keeps a job from those that keep servers, in milliseconds. */
const passedOnMs = 1_000;
/** When such a process has had a job so often, those that keep servers leave it, or there are none. */
const passedOnInVain = 3;
const notTakenUp = {
  code: 'no-server-host',
  reason:
    'No scheduler has taken up the build so far. A scheduler with STRONGROOM_BUILT_SERVERS=on builds servers, and keeps STRONGROOM_BUILT_SERVERS_MOST at most. The operator can start another one.',
};

export const builtServerJob: JobKind<SchedulerParts> = {
  kind: 'instance',
  queuedBy: askedWork.instance,
  // What nobody has is built by whoever has room. What is built waits for nobody but the host that has its data.
  lanes: ({ hostLane }) => (hostLane === undefined ? [''] : ['', hostLane]),
  concurrency: ({ config }) => config.mostBuiltServers,
  pollMs: ({ config }) => (config.instancesFolder === undefined ? idlePollMs : 500),
  missing: async ({ config, unfinished }, after) =>
    config.instancesFolder === undefined ? { found: [], end: undefined } : unfinished.builds(after),
  perform(parts, job, hold) {
    const { instancesFolder: folder, guests, freeSpaceReserveBytes } = parts.config;
    if (folder === undefined) return performWithoutServers(parts, job);
    const { hostLane: lane = '' } = parts;
    const hasRoom = () => hasRoomIn(parts, lane);
    const { restoreIdentities: identities } = parts.encryption;
    const host = { identities, folder, guests, freeSpaceReserveBytes, lane, hasRoom };
    return new BuiltServer({ ...parts, ...host }, job, hold).perform();
  },
  measure({ config, jobs, metrics }) {
    if (config.instancesFolder === undefined) return;
    metrics.gauge({
      name: 'strongroom_instances_waiting',
      help: 'Built servers that no scheduler has: none has room for them, or none has their data.',
      measure: async (gauge) => {
        const lanes = await jobs.load('instance');
        gauge.set(lanes.reduce((sum, { waiting, deferred }) => sum + waiting + deferred, 0));
      },
    });
  },
};

async function hasRoomIn({ jobs, config }: SchedulerParts, lane: string): Promise<boolean> {
  const here = (await jobs.load('instance')).find((each) => each.lane === lane);
  return !here || here.held + here.waiting + here.deferred < config.mostBuiltServers;
}

/** Every instance that is forgotten asks for a job; where it was never built, nothing is to be removed. */
async function performWithoutServers(
  { ledger, ids, clock, actor }: SchedulerParts,
  { id: instanceId, attempt }: LeasedJob,
): Promise<Performed> {
  const history = await ledger.readStream(streamOf('instance', instanceId));
  const instance = fold(instanceDecider, history);
  const [requested] = history;
  if (instance.is === 'building' && requested && history.length === 1 && attempt >= passedOnInVain) {
    const retryAt = new Date(clock.now().getTime() + idlePollMs).toISOString();
    const context = causedBy(requested, actor);
    const { accountId } = requested;
    const target = { id: instanceId, accountId, instanceId, context };
    await execute({ ledger, ids }, instanceDecider, target, { type: 'FailBuildAttempt', ...notTakenUp, retryAt });
  }
  const wasBuilt = instance.is === 'building' || ('builtFrom' in instance && instance.builtFrom !== null);
  return wasBuilt ? { retryInMs: passedOnMs } : 'finished';
}
