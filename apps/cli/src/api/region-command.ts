/** `strongroom region`: the regions of the deployment, which are away, how fast copies come there, and what holds these back. */
import { getRegions, type RegionResource, type TransferLimit } from '@strongroom/contracts';
import type { Command } from 'commander';
import { type ApiOptions, ofApi } from './api-options.js';
import { type Column, printRows, sizeOf } from './printing.js';
import { inSession } from './session.js';

const mebibyte = 1_048_576;

const columns: readonly Column<RegionResource>[] = [
  { title: 'REGION', of: ({ name }) => name },
  { title: 'HOME', of: ({ home }) => home },
  { title: 'TAKES COPIES', of: ({ copies }) => copies },
  { title: 'AWAY SINCE', of: ({ outage }) => outage?.since },
  { title: 'WHY', of: ({ outage }) => outage?.message },
  { title: 'COPYING NOW', of: ({ copying }) => copying?.copies },
  { title: 'RATE', of: ({ copying }) => copying && `${sizeOf(copying.bytes_per_second)}/s` },
  { title: 'LIMITS', of: ({ limits }) => limits && (limits.map(limitInWords).join('; ') || 'none') },
];

export function addRegion(program: Command): void {
  const group = program.command('region').description('See the regions.');
  ofApi(group.command('list'))
    .description(
      'List the regions: where backups are made, where they are copied to, which is away, how fast copies come there, and which limits hold them back.',
    )
    .action((options: ApiOptions) =>
      inSession(options, 'region', async (session) => {
        const document = await session.ask(getRegions, {});
        printRows(document, document.regions, columns, options);
      }),
    );
}

/** `ORD 20 MiB/s, 4 at a time`, in the words and units of `strongroom limits set`. */
export function limitInWords({ scope, bytes_per_second, at_a_time, requests_at_a_time }: TransferLimit): string {
  const limits = [
    ...(bytes_per_second === null ? [] : [`${Number((bytes_per_second / mebibyte).toFixed(3))} MiB/s`]),
    ...(at_a_time === null ? [] : [`${at_a_time} at a time`]),
    ...(requests_at_a_time === null ? [] : [`busy, ${requests_at_a_time} requests at a time`]),
  ];
  return `${scope} ${limits.join(', ')}`;
}
