/** The regions as the API shows them: which are away, how fast copies come there now, and what holds them back. */
import { Inject } from '@nestjs/common';
import type { RegionResource } from '@strongroom/contracts';
import { Copies, Views } from '@strongroom/read-model';
import {
  type AppConfig,
  configToken,
  type LimitInForce,
  LimitsInForce,
  type MovingJob,
  MovingJobs,
  type RegionOutage,
  RegionOutages,
} from '@strongroom/runtime';
import type { Reach } from '../edge/caller.js';
import { utc } from '../edge/times.js';

export class RegionResources {
  constructor(
    @Inject(configToken) private readonly config: AppConfig,
    @Inject(RegionOutages) private readonly outages: RegionOutages,
    @Inject(MovingJobs) private readonly moving: MovingJobs,
    @Inject(Views) private readonly views: Views,
    @Inject(Copies) private readonly copies: Copies,
    @Inject(LimitsInForce) private readonly limits: LimitsInForce,
  ) {}

  /** All regions of the deployment. Of the copies, those within the reach of the caller count. */
  async all(reach: Reach): Promise<RegionResource[]> {
    const { vaults, homeRegion, copyRegions } = this.config;
    const [outages, copies, limits] = await Promise.all([
      this.outages.known(),
      this.copiesOf(reach),
      this.limits.known(),
    ]);
    return [...vaults.keys()].map((name) => ({
      name,
      home: name === homeRegion,
      copies: copyRegions.includes(name),
      outage: outageResource(outages.get(name)),
      copying: copyingTo(name, copies),
      limits: limits ? limits.filter(({ scope }) => holdsBack(scope, name)).map(limitResource) : null,
    }));
  }

  /** The lane of a copy is its region. */
  private async copiesOf({ accountId, instances }: Reach): Promise<MovingJob[]> {
    const all = await this.moving.of('copy', accountId);
    if (instances === undefined || all.length === 0) return all;
    await this.views.catchUp(accountId);
    const ids = all.map(({ id }) => id);
    const reached = await this.copies.ofInstances(ids, instances);
    return all.filter(({ id }) => reached.has(id));
  }
}

function outageResource(outage: RegionOutage | undefined): RegionResource['outage'] {
  return outage ? { code: outage.code, message: outage.reason, since: utc(outage.since) } : null;
}

function copyingTo(region: string, all: readonly MovingJob[]): RegionResource['copying'] {
  const there = all.filter(({ lane }) => lane === region);
  return { copies: there.length, bytes_per_second: there.reduce((sum, each) => sum + each.bytesPerSecond, 0) };
}

/** Whether a limit of that scope holds copies to the region back. That of another region holds back what is read there. */
function holdsBack(scope: string, region: string): boolean {
  return scope === region || scope === 'process' || scope.endsWith(`:${region}`);
}

function limitResource({ scope, bytesPerSecond, atATime, requestsAtATime }: LimitInForce) {
  return { scope, bytes_per_second: bytesPerSecond, at_a_time: atATime, requests_at_a_time: requestsAtATime };
}
