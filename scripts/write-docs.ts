/** `npm run docs`: writes the pages that are made from the code. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { everyReason } from '@strongroom/domain';
import { settings } from '@strongroom/runtime';
import { exitCodeList } from '../apps/cli/src/exit-codes.js';
import { strongroomProgram } from '../apps/cli/src/program.js';
import { commandLinePage } from './command-line-page.js';
import { configurationPage } from './configuration-page.js';
import { manPage } from './man-page.js';
import { reasonsPage } from './reasons-page.js';

writeFileSync(resolve('docs/configuration.md'), configurationPage(settings));
writeFileSync(resolve('docs/strongroom.1'), manPage(strongroomProgram(), exitCodeList));
writeFileSync(resolve('docs/command-line.md'), commandLinePage(strongroomProgram(), exitCodeList));
writeFileSync(resolve('docs/reasons.md'), reasonsPage(everyReason()));
