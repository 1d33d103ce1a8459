/** `strongroom region`: the regions of the deployment, and which are away. */
import { getRegions } from '@strongroom/contracts';
import type { Command } from 'commander';
import { type ApiOptions, ofApi } from './api-options.js';
import { type Column, printRows } from './printing.js';
import { inSession } from './session.js';

interface Region {
  name: string;
  home: boolean;
  copies: boolean;
  outage: { message: string; since: string } | null;
}

const columns: readonly Column<Region>[] = [
  { title: 'REGION', of: ({ name }) => name },
  { title: 'HOME', of: ({ home }) => home },
  { title: 'TAKES COPIES', of: ({ copies }) => copies },
  { title: 'AWAY SINCE', of: ({ outage }) => outage?.since },
  { title: 'WHY', of: ({ outage }) => outage?.message },
];

export function addRegion(program: Command): void {
  const group = program.command('region').description('See the regions.');
  ofApi(group.command('list'))
    .description('List the regions: where backups are made, where they are copied to, and which is away.')
    .action((options: ApiOptions) =>
      inSession(options, 'region', async (session) => {
        const document = await session.ask(getRegions, {});
        printRows(document, document.regions, columns, options);
      }),
    );
}
