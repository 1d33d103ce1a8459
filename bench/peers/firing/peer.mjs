/**
 * A peer in a process of its own: the parent tells it to begin anew, to go, and to end. It is measured from the first look for work to
 * the last start that is on the disk.
 *
 * @param open gives `reset({ due, idle })`, which leaves so many jobs due and so many for later; `go()`, which starts what is due and arms
 *   each anew for the next day; and `close()`. `go` gives `{ ms, starts, distinct, armed }`
 */
export async function serve(open) {
  const peer = await open(JSON.parse(process.argv[2]));
  process.on('message', async ({ ask, ...rest }) => {
    try {
      const told = await peer[ask](rest);
      process.send({ told: told ?? {} });
      if (ask === 'close') process.exit(0);
    } catch (error) {
      process.send({ failed: String(error?.stack ?? error) });
    }
  });
  process.send({ told: {} });
}

/** Writes what many ask for at a time, one batch after the other: each batch has all that was asked for meanwhile. */
export function inBatches(write) {
  let waiting = [];
  let busy = false;
  const drain = async () => {
    busy = true;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        await write(batch.map(({ item }) => item));
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    busy = false;
  };
  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      if (!busy) void drain();
    });
}
