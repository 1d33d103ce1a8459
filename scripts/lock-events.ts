/** `npm run lock:events`: adds new events to the lock. It never changes what is locked. */
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { compare, currentForms, eventForms } from './events-lock.js';

const path = resolve('libs/contracts/events.lock.json');
const current = currentForms();
const { breaches, additions } = compare(eventForms.parse(JSON.parse(readFileSync(path, 'utf8'))), current);
if (breaches.length > 0) {
  console.error(breaches.join('\n'));
  process.exitCode = 1;
} else {
  writeFileSync(path, `${JSON.stringify(current, null, 2)}\n`);
  console.log(additions.length > 0 ? `Locked: ${additions.join(', ')}.` : 'Every event is locked already.');
}
