/** What the service says of itself: its versions, its regions, and the document of its API. */
import { Controller, Get, Header, Inject, Req } from '@nestjs/common';
import { apiVersion } from '@strongroom/contracts';
import { type AppConfig, configToken } from '@strongroom/runtime';
import type { FastifyRequest } from 'fastify';
import { Paging } from '../edge/paging.js';
import { docsPage, docsPolicy } from './docs-page.js';
import { openApiDocument } from './open-api.js';

const released = '2026-11-24T00:00:00Z';

@Controller()
export class ServiceController {
  constructor(
    @Inject(configToken) private readonly config: AppConfig,
    @Inject(Paging) private readonly paging: Paging,
  ) {}

  @Get()
  versions(@Req() request: FastifyRequest) {
    return { versions: [versionAt(this.paging.origin(request))] };
  }

  @Get('v1.0')
  version(@Req() request: FastifyRequest) {
    return { version: versionAt(this.paging.origin(request)) };
  }

  @Get('v1.0/:accountId/regions')
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

  @Get('docs')
  @Header('content-type', 'text/html; charset=utf-8')
  @Header('content-security-policy', docsPolicy)
  @Header('cache-control', 'public, max-age=300')
  docs() {
    return docsPage(openApiDocument());
  }

  @Get('openapi.json')
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
