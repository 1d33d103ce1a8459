/** The program of a process that works with a stranger's bytes. Its second thread, which is this program too, watches the first. */
import { isMainThread } from 'node:worker_threads';

void (isMainThread ? import('./child-work.js') : import('./watchdog.js'));
