/** The first import of an app: it frees the process, and says what is kept of source maps, before any library is loaded. It loads nothing else. */
import { keepOwnSourceMaps } from './own-source-maps.js';
import { freeThisProcess } from './process-environment.js';

keepOwnSourceMaps();
freeThisProcess();
