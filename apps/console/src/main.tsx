/** Draws the console: the screens for whoever has signed in, and the way in for everybody else. */
import './console.css';
import type { ConsoleSession } from '@strongroom/contracts';
import { render } from 'preact';
import { useLayoutEffect, useState } from 'preact/hooks';
import { call, messageOf, Refused } from './api/call.js';
import { deleteConsoleSession, getConsoleSession } from './api/operations.js';
import { Frame } from './frame.js';
import { SignIn } from './screens/sign-in.js';
import { chooseTheme, chosenTheme } from './theme.js';

type State = { is: 'asking' } | { is: 'out'; why: string | null } | { is: 'in'; session: ConsoleSession };

/** It is asked before anything is drawn. */
const atFirst: Promise<State> = call(getConsoleSession).then(
  ({ session }) => ({ is: 'in', session }),
  (error: unknown) => ({ is: 'out', why: error instanceof Refused && error.status === 401 ? null : messageOf(error) }),
);

function Console() {
  const [state, setState] = useState<State>({ is: 'asking' });
  useLayoutEffect(() => void atFirst.then(setState), []);
  const signOut = async (why: string | null) => {
    // Whatever comes of it, this page forgets what it has shown.
    setState({ is: 'out', why });
    await call(deleteConsoleSession).catch(() => {});
  };
  switch (state.is) {
    case 'asking':
      return null;
    case 'out':
      return <SignIn why={state.why} signedIn={(session) => setState({ is: 'in', session })} />;
    case 'in':
      return <Frame session={state.session} signedOut={(why) => void signOut(why)} />;
  }
}

chooseTheme(chosenTheme());
const place = document.getElementById('console');
if (place) render(<Console />, place);
