/** For the first request to a gateway, which listens before its database is reached where that takes long. */
import { ApiFault } from '@strongroom/client';
import { eventually } from './eventually.js';

/** Asks again as long as the answer is that the database is not there yet, and that nothing was changed. */
export async function onceReached<T>(ask: () => Promise<T>): Promise<T> {
  const outcome = await eventually(
    () =>
      ask().then(
        (value) => ({ value }),
        (error: unknown) => {
          if (error instanceof ApiFault && /database is not there yet/.test(error.message)) throw error;
          return { error };
        },
      ),
    { withinMs: 20_000 },
  );
  if ('error' in outcome) throw outcome.error;
  return outcome.value;
}
