/** `npm run docs`: writes the pages that are made from the code. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { everyReason } from '@strongroom/domain';
import { settings } from '@strongroom/runtime';
import { openApiDocument } from '../apps/api/src/service/open-api.js';
import { answerList } from '../apps/cli/src/endings.js';
import { exitCodeList } from '../apps/cli/src/exit-codes.js';
import { strongroomProgram } from '../apps/cli/src/program.js';
import { apiPage } from './api-page.js';
import { commandLinePage } from './command-line-page.js';
import { configurationPage } from './configuration-page.js';
import { contractPage, fuzzedIn, seenIn } from './contract-page.js';
import { decisionsPage } from './decisions-page.js';
import { eventsPage, sourceOfEvents } from './events-page.js';
import { manPage } from './man-page.js';
import { metricsOfSources } from './metrics-on-page.js';
import { metricsPage } from './metrics-page.js';
import { reasonsPage } from './reasons-page.js';

const decisions = resolve('docs/decisions');
const decisionPages = readdirSync(decisions)
  .filter((file) => /^\d/.test(file))
  .map((file) => [file, readFileSync(join(decisions, file), 'utf8')] as const);

const contract = readFileSync(resolve('docs/contract.md'), 'utf8');

const pages = {
  'docs/api.md': apiPage(openApiDocument()),
  'docs/command-line.md': commandLinePage(strongroomProgram(), exitCodeList, answerList),
  'docs/configuration.md': configurationPage(settings),
  // Which test has seen what, only a run of all tests knows.
  'docs/contract.md': contractPage(seenIn(contract), fuzzedIn(contract)),
  'docs/decisions/README.md': decisionsPage(new Map(decisionPages)),
  'docs/events.md': eventsPage(sourceOfEvents(resolve('.'))),
  'docs/metrics.md': metricsPage(metricsOfSources(resolve('.'))),
  'docs/reasons.md': reasonsPage(everyReason()),
  'docs/strongroom.1': manPage(strongroomProgram(), exitCodeList),
};
for (const [path, text] of Object.entries(pages)) writeFileSync(resolve(path), text);
