/** Signs in: the token goes to this service once, and what the browser keeps cannot be read by any script. */
import type { ConsoleSession } from '@strongroom/contracts';
import { useId, useState } from 'preact/hooks';
import { call, Refused } from '../api/call.js';
import { getConsoleSession, postConsoleSession } from '../api/operations.js';

export function SignIn({ why, signedIn }: { why: string | null; signedIn: (session: ConsoleSession) => void }) {
  const [problem, setProblem] = useState(why);
  const [isBusy, setIsBusy] = useState(false);
  const [tokenId, hintId, problemId] = [useId(), useId(), useId()];

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const field = new FormData(event.currentTarget as HTMLFormElement).get('token');
    const token = typeof field === 'string' ? field.trim() : '';
    if (!/^[\x21-\x7e]+$/.test(token)) {
      setProblem('Type the token. It has no spaces and no letters with accents.');
      return;
    }
    setIsBusy(true);
    try {
      await call(postConsoleSession, { headers: { 'x-auth-token': token } });
      signedIn((await call(getConsoleSession)).session);
    } catch (error) {
      setProblem(error instanceof Refused ? whyRefused(error) : String(error));
      setIsBusy(false);
    }
  };

  return (
    <main class="sign-in">
      <h1>Strongroom</h1>
      <p>Sign in to see what can be restored, and from where.</p>
      <form onSubmit={(event) => void submit(event)} aria-describedby={problem === null ? undefined : problemId}>
        <label for={tokenId}>Token</label>
        <input
          id={tokenId}
          name="token"
          type="password"
          autocomplete="current-password"
          spellcheck={false}
          required
          aria-describedby={hintId}
        />
        <p id={hintId} class="quiet">
          The one that you send as X-Auth-Token. It is exchanged for a session of 8 hours at most.
        </p>
        <button type="submit" class="main" disabled={isBusy}>
          {isBusy ? 'Signing in…' : 'Sign in'}
        </button>
        <p id={problemId} role="alert" class="problem">
          {problem}
        </p>
      </form>
    </main>
  );
}

/** Without TLS the browser does not keep the cookie, except on the machine itself. */
function whyRefused({ status, message }: Refused): string {
  const isInClear = location.protocol === 'http:' && !/^(localhost|127\.|\[::1\])/.test(location.hostname);
  if (status === 401 && isInClear) return 'The console needs TLS: a browser keeps no session of a page without it.';
  return status === 401 ? 'This token is not known here.' : message;
}
