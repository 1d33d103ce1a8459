/** A program in a process of its own, which answers one question at a time, as `serve` of `peers/firing/peer.mjs` has it. */
import { fork } from 'node:child_process';
import { serviceMemory } from '../dist/libs/runtime/src/index.js';

/** A program of ours, with the memory of a service. @param given as of `openProcess` */
export function openService(place, file, given, node) {
  return openProcess(place, file, given, node, serviceMemory(process.env.NODE_OPTIONS));
}

/** @param given what the program gets; `place` ends the process @param env what it has of its environment beside that of this process */
export async function openProcess(place, file, given, node = process.execPath, env = {}) {
  const child = fork(file, [JSON.stringify(given)], {
    ...{ execPath: node, env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] },
  });
  const next = () =>
    new Promise((resolve, reject) => {
      const ended = (code) => reject(new Error(`${file} ended with ${code}`));
      child.once('exit', ended);
      child.once('message', ({ told, failed }) => {
        child.off('exit', ended);
        if (failed) reject(new Error(failed));
        else resolve(told);
      });
    });
  place.undo.push(async () => child.kill('SIGKILL'));
  await next();
  const ask = (what, rest = {}) => {
    const answer = next();
    child.send({ ask: what, ...rest });
    return answer;
  };
  return { ask, pid: child.pid };
}
