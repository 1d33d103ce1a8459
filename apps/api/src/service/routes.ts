/** What the service says of itself: its versions, its regions, and the document of its API. */
import { Controller, Inject } from '@nestjs/common';
import {
  apiVersion,
  getDocs,
  getDocsReferenceJs,
  getLimits,
  getOpenapiJson,
  getRegions,
  getV10,
  getVersions,
} from '@strongroom/contracts';
import { type AppConfig, configToken, type QuotaKind, quotaOf } from '@strongroom/runtime';
import type { Asked } from '../edge/asked.js';
import { asJson, Paging } from '../edge/paging.js';
import { Handles } from '../edge/routing.js';
import { docsPage, docsPolicy, docsScript } from './docs-page.js';
import { openApiDocument } from './open-api.js';
import { RegionResources } from './regions.js';

const released = '2026-11-24T00:00:00Z';
const mayBeKept = { 'cache-control': 'public, max-age=300' };

@Controller()
export class ServiceRoutes {
  constructor(
    @Inject(configToken) private readonly config: AppConfig,
    @Inject(Paging) private readonly paging: Paging,
    @Inject(RegionResources) private readonly regionResources: RegionResources,
  ) {}

  @Handles(getVersions)
  versions({ request }: Asked) {
    return { versions: [versionAt(this.paging.origin(request))] };
  }

  @Handles(getV10)
  version({ request }: Asked) {
    return { version: versionAt(this.paging.origin(request)) };
  }

  @Handles(getRegions)
  async regions({ caller }: Asked) {
    return { regions: await this.regionResources.all(caller) };
  }

  @Handles(getLimits)
  limits({ caller: { accountId } }: Asked) {
    const { quotas, mostSchedules, mostWebhooks } = this.config;
    const most = (kind: QuotaKind) => quotaOf(quotas[kind], accountId) ?? -1;
    return {
      limits: [
        {
          verb: 'ABSOLUTE',
          max_instances: most('instances'),
          max_backups: -1,
          max_volumes: -1,
          max_schedules: mostSchedules,
          max_built_servers: most('built-servers'),
          max_stored_gib: most('stored-gib'),
          max_concurrent_backups: most('backups'),
          max_concurrent_copies: most('copies'),
          max_streams: most('streams'),
          max_webhooks: mostWebhooks,
        },
      ],
    };
  }

  @Handles(getDocs)
  docs({ reply }: Asked) {
    void reply.type('text/html; charset=utf-8').headers({ 'content-security-policy': docsPolicy, ...mayBeKept });
    return docsPage;
  }

  @Handles(getDocsReferenceJs)
  docsReferenceJs({ request, reply }: Asked) {
    const gzipped = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
    void reply
      .type('text/javascript; charset=utf-8')
      .headers({ ...mayBeKept, vary: 'accept-encoding', ...(gzipped && { 'content-encoding': 'gzip' }) });
    return docsScript(gzipped);
  }

  @Handles(getOpenapiJson)
  document({ reply }: Asked) {
    void reply.headers(mayBeKept);
    return asJson(reply, openApi());
  }
}

let made: string | undefined;

/** It is made once: everybody may ask for it, and it never changes while the process runs. */
function openApi(): string {
  made ??= JSON.stringify(openApiDocument());
  return made;
}

function versionAt(origin: string) {
  return {
    id: apiVersion,
    status: 'CURRENT',
    updated: released,
    links: [{ rel: 'self', href: `${origin}/${apiVersion}` }],
  };
}
