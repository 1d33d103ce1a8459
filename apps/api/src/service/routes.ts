/** What the service says of itself: its versions, its regions, and the document of its API. */
import { Controller, Header, Inject, Req } from '@nestjs/common';
import { apiVersion, getDocs, getOpenapiJson, getRegions, getV10, getVersions } from '@strongroom/contracts';
import { type AppConfig, configToken } from '@strongroom/runtime';
import type { FastifyRequest } from 'fastify';
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

  @Handles(getDocs)
  @Header('content-type', 'text/html; charset=utf-8')
  @Header('content-security-policy', docsPolicy)
  @Header('cache-control', 'public, max-age=300')
  docs() {
    return docsPage(openApiDocument());
  }

  @Handles(getOpenapiJson)
  @Header('cache-control', 'public, max-age=300')
  document() {
    return openApiDocument();
  }
}

function versionAt(origin: string) {
  return {
    id: apiVersion,
    status: 'CURRENT',
    updated: released,
    links: [{ rel: 'self', href: `${origin}/${apiVersion}` }],
  };
}
