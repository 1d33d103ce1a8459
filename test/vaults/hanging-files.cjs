/**
 * Is loaded into an app before anything else. A file is opened in vain, in the system and on a thread of its own, as long as a pipe lies
 * beside it whose name has `.pipe` at its end. A disk that hangs can't be made otherwise: a vault opens no pipe itself.
 */
const { existsSync } = require('node:fs');
const { syncBuiltinESMExports } = require('node:module');
const promises = require('node:fs/promises');

const { open } = promises;
promises.open = (path, ...more) => open(existsSync(`${path}.pipe`) ? `${path}.pipe` : path, ...more);
syncBuiltinESMExports();
