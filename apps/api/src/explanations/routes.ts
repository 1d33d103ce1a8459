/** The route of explanations: why something of the account is as it is, or as it was. */
import { Controller, Inject } from '@nestjs/common';
import { getExplainId } from '@strongroom/contracts';
import type { Asked } from '../edge/asked.js';
import { instantAsked } from '../edge/instant-asked.js';
import { Paging } from '../edge/paging.js';
import { Handles } from '../edge/routing.js';
import { Explanations } from './resource.js';

@Controller()
export class ExplanationRoutes {
  constructor(
    @Inject(Explanations) private readonly explanations: Explanations,
    @Inject(Paging) private readonly paging: Paging,
  ) {}

  @Handles(getExplainId)
  async explain({ caller, request, id }: Asked) {
    const asOf = instantAsked(request, 'as_of');
    const found = await this.explanations.find(caller, id, asOf);
    const { items, links } = await this.paging.newest(request, 'events', (page) => found.sentences(page));
    return { explanation: { ...found.told, sentences: items.map(({ told }) => told) }, links };
  }
}
