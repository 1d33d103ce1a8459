/** `strongroom views rebuild`. What needs the database is loaded when it is asked for: the other commands start fast. */
import type { Command } from 'commander';
import type { RebuildViewsOptions } from './views-rebuild.js';

export function addViews(program: Command): void {
  program
    .command('views')
    .description("Look after the views, in the services' database.")
    .command('rebuild')
    .description(
      'Make every row of the views anew from the events, and remove what no event tells of. The services may run meanwhile, and nothing disappears for them. Needs STRONGROOM_DATABASE_URL, with the role of a service or of the owner.',
    )
    .option('--json', 'print what was done as JSON')
    .action(async (options: RebuildViewsOptions) => (await import('./views-rebuild.js')).rebuildViews(options));
}
