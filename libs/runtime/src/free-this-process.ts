/** The first import of an app: it frees the process before any library is loaded. It loads nothing else. */
import { freeThisProcess } from './process-environment.js';

freeThisProcess();
