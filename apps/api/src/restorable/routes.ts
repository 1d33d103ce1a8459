/** The route of what can be restored from where. */
import { Controller, Inject } from '@nestjs/common';
import { getRestorable } from '@strongroom/contracts';
import type { Asked } from '../edge/asked.js';
import { instanceFilter, Paging } from '../edge/paging.js';
import { Handles } from '../edge/routing.js';
import { RestorableResources } from './resource.js';

@Controller()
export class RestorableRoutes {
  constructor(
    @Inject(RestorableResources) private readonly resources: RestorableResources,
    @Inject(Paging) private readonly paging: Paging,
  ) {}

  @Handles(getRestorable)
  async list({ caller, request }: Asked) {
    const instanceId = instanceFilter(request);
    const read = (page: Parameters<RestorableResources['page']>[1]) =>
      this.resources.page(caller, { ...page, instanceId });
    const { items, links } = await this.paging.page(request, 'schedules', read);
    return { restorable: items, links };
  }
}
