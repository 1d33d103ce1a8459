/**
 * Each table has one owner. Only the owner's files name the table in SQL, so a change of its columns, keys or locks is a change
 * of one room. Other rooms call a function of the owner.
 */
import ts from 'typescript';
import type { SourceFile } from './house-rules.js';

/** The path of the owner of each table: a library, or a folder or a file of an app. */
export const ownerOfTable: Readonly<Record<string, string>> = {
  audit_entry: 'libs/ledger/',
  audit_export: 'libs/ledger/',
  ledger_claim: 'libs/ledger/',
  ledger_event: 'libs/ledger/',
  ledger_quota: 'libs/ledger/',
  ledger_writer: 'libs/database/',

  dead_letter: 'libs/feed/',
  feed_handled: 'libs/feed/',
  feed_handled_since: 'libs/feed/',
  feed_offset: 'libs/feed/',
  ledger_identity: 'libs/feed/',
  relay_cursor: 'libs/feed/',
  second_look: 'libs/feed/',

  backup_view: 'libs/read-model/',
  copy_view: 'libs/read-model/',
  instance_view: 'libs/read-model/',
  restore_test_view: 'libs/read-model/',
  run_view: 'libs/read-model/',
  schedule_outcome: 'libs/read-model/',
  schedule_view: 'libs/read-model/',
  verification: 'libs/read-model/',
  view_head: 'libs/read-model/',
  webhook_view: 'libs/read-model/',

  job: 'libs/runtime/',
  job_news: 'libs/runtime/',
  job_turn: 'libs/runtime/',
  known_vault: 'libs/runtime/',
  refused_login: 'libs/runtime/',
  region_outage: 'libs/runtime/',
  server_login: 'libs/runtime/',
  set_aside: 'libs/runtime/',
  transfer_budget: 'libs/runtime/',
  transfer_cap: 'libs/runtime/',
  transfer_in_force: 'libs/runtime/',
  transfer_limit: 'libs/runtime/',

  changed_credential: 'libs/credentials/',
  instance_credential: 'libs/credentials/',
  webhook_secret: 'libs/credentials/',

  idempotent_request: 'apps/api/src/edge/idempotent-requests.ts',
  request_count: 'apps/api/src/edge/rate-limits.ts',
  webhook_cursor: 'apps/api/src/webhooks/cursors.ts',
  webhook_delivery: 'apps/api/src/webhooks/deliveries.ts',

  transfer_rate: 'apps/replicator/src/jobs/copy/transfer-rates.ts',

  expected_seal: 'apps/scheduler/src/jobs/backup/expected-seals.ts',
  slot_timer: 'apps/scheduler/src/slots/slot-timers.ts',
  steady_time: 'apps/scheduler/src/slots/due-clock.ts',
};

interface Exception {
  path: string;
  tables: readonly string[];
  why: string;
}

export const exceptions: readonly Exception[] = [
  {
    path: 'libs/database/src/lock-ledger-briefly.ts',
    tables: ['ledger_event'],
    why: 'A migration takes the table for itself before it changes it.',
  },
  {
    path: 'libs/vault/src/vault-marker.ts',
    tables: ['known_vault'],
    why: 'It advises an operator, and runs nothing.',
  },
];

/** A table's name where SQL has one: after a word that a table follows, or further on in the same list. */
const named = (table: string) =>
  new RegExp(String.raw`\b(?:from|join|into|update|table|using|only|truncate)\s+(?:[^()]*,\s*)?${table}\b`, 'i');

/** One sentence for each table that a production file names in SQL though another room owns it. */
export function foreignTablesOf({ path, text }: SourceFile, allowed = exceptions): string[] {
  const isSql = path.endsWith('.sql');
  // A function in SQL lies with the schema, and says whose it is.
  const room = isSql ? `${/ Owner: (\S+)\.$/m.exec(text)?.[1] ?? ''}/` : path;
  const foreign = Object.entries(ownerOfTable).filter(
    ([table, owner]) => !room.startsWith(owner) && text.includes(table),
  );
  if (foreign.length === 0) return [];
  const statements = isSql ? [text.replaceAll(/--.*$/gm, '')] : literalsOf(path, text);
  const excepted = allowed.find((each) => each.path === path)?.tables ?? [];
  return foreign
    .filter(([table]) => !excepted.includes(table) && statements.some((statement) => named(table).test(statement)))
    .map(([table, owner]) => `${path} names ${table} in SQL, and ${owner} owns it: call a function of the owner`);
}

/** What stands in the strings and templates of a TypeScript file. */
function literalsOf(path: string, text: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) found.push(node.text);
    else if (ts.isTemplateExpression(node)) {
      found.push([node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)].join(' … '));
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(path, text, ts.ScriptTarget.Latest));
  return found;
}
