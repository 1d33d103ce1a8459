/** What the service says of itself: its versions, its regions, and the document of its API. */
import { Controller, Header, Inject, Req } from '@nestjs/common';
import { apiVersion, getDocs, getLimits, getOpenapiJson, getRegions, getV10, getVersions } from '@strongroom/contracts';
import { type AppConfig, configToken, type QuotaKind, quotaOf } from '@strongroom/runtime';
import type { FastifyRequest } from 'fastify';
import { CalledBy, type Caller } from '../edge/caller.js';
import { Paging } from '../edge/paging.js';
import { Handles } from '../edge/routing.js';
import { docsPage, docsPolicy } from './docs-page.js';
import { openApiDocument } from './open-api.js';

const released = '2026-11-24T00:00:00Z';

@Controller()
export class ServiceRoutes {
  constructor(
    @Inject(configToken) private readonly config: AppConfig,
    @Inject(Paging) private readonly paging: Paging,
  ) {}

  @Handles(getVersions)
  versions(@Req() request: FastifyRequest) {
    return { versions: [versionAt(this.paging.origin(request))] };
  }

  @Handles(getV10)
  version(@Req() request: FastifyRequest) {
    return { version: versionAt(this.paging.origin(request)) };
  }

  @Handles(getRegions)
  regions() {
    const { vaults, homeRegion, copyRegions } = this.config;
    return {
      regions: [...vaults.keys()].map((name) => ({
        name,
        home: name === homeRegion,
        copies: copyRegions.includes(name),
      })),
    };
  }

  @Handles(getLimits)
  limits(@CalledBy() { accountId }: Caller) {
    const { quotas, mostSchedules } = this.config;
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
        },
      ],
    };
  }

  @Handles(getDocs)
  @Header('content-type', 'text/html; charset=utf-8')
  @Header('content-security-policy', docsPolicy)
  @Header('cache-control', 'public, max-age=300')
  docs() {
    return documents().page;
  }

  @Handles(getOpenapiJson)
  @Header('content-type', 'application/json; charset=utf-8')
  @Header('cache-control', 'public, max-age=300')
  document() {
    return documents().openApi;
  }
}

let made: { openApi: string; page: string } | undefined;

/** They are made once: everybody may ask for them, and they never change while the process runs. */
function documents(): { openApi: string; page: string } {
  if (!made) {
    const document = openApiDocument();
    made = { openApi: JSON.stringify(document), page: docsPage(document) };
  }
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
