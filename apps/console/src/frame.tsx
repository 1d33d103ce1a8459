/** What every screen is in: where one can go, whether what is shown is live, the theme, and the way out. */
import type { ConsoleSession } from '@strongroom/contracts';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Account, type Known } from './account.js';
import { isResolved } from './matrix.js';
import { Mark } from './parts/mark.js';
import { Restorable } from './screens/restorable.js';
import { SchedulesScreen } from './screens/schedules.js';
import { chooseTheme, chosenTheme, themes } from './theme.js';

const screens = { restorable: 'Restorable', schedules: 'Schedules' } as const;
type Screen = keyof typeof screens;

/** How long ago something was is told anew after this time. */
const minuteMs = 60_000;

export function Frame({ session, signedOut }: { session: ConsoleSession; signedOut: (why: string | null) => void }) {
  const { account_id: accountId, name, rights } = session;
  const [screen, setScreen] = useState(screenInAddress);
  const [known, setKnown] = useState<Known | null>(null);
  const [now, setNow] = useState(() => new Date());
  const account = useRef<Account>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    const opened = new Account(
      accountId,
      () => setKnown(opened.known),
      () => signedOut('The session is over. Sign in again.'),
      isResolved,
    );
    account.current = opened;
    setKnown(opened.known);
    const minutes = setInterval(() => setNow(new Date()), minuteMs);
    return () => {
      clearInterval(minutes);
      opened.end();
    };
  }, [accountId]);
  useEffect(() => {
    const moved = () => {
      setScreen(screenInAddress());
      heading.current?.focus();
    };
    addEventListener('hashchange', moved);
    return () => removeEventListener('hashchange', moved);
  }, []);
  useEffect(() => {
    document.title = `${screens[screen]} · Strongroom`;
  }, [screen]);
  return (
    <>
      <header>
        <span class="brand">Strongroom</span>
        <nav aria-label="Screens">
          {Object.entries(screens).map(([id, title]) => (
            <a key={id} href={`#/${id}`} aria-current={id === screen ? 'page' : undefined}>
              {title}
            </a>
          ))}
        </nav>
        <span class="who">
          {name} in {accountId}
        </span>
        <ThemeChoice />
        <button type="button" onClick={() => signedOut(null)}>
          Sign out
        </button>
      </header>
      <main>
        <h1 ref={heading} tabIndex={-1}>
          {screens[screen]}
        </h1>
        {known && (
          <>
            <p class="live" role="status">
              {known.isLive ? <Mark tone="good">Live</Mark> : <Mark tone="warning">Not live: connecting again</Mark>}
            </p>
            {known.problem !== null && (
              <p role="alert" class="problem">
                {known.problem}
              </p>
            )}
            {screen === 'restorable' ? (
              <Restorable known={known} accountId={accountId} now={now} />
            ) : (
              <SchedulesScreen
                known={known}
                accountId={accountId}
                rights={rights}
                now={now}
                changed={(id) => account.current?.scheduleChanged(id)}
              />
            )}
          </>
        )}
      </main>
    </>
  );
}

function ThemeChoice() {
  const [theme, setTheme] = useState(chosenTheme);
  return (
    <label>
      Theme{' '}
      <select
        value={theme}
        onChange={({ currentTarget }) => {
          const chosen = themes.find((each) => each === currentTarget.value) ?? 'system';
          chooseTheme(chosen);
          setTheme(chosen);
        }}
      >
        {themes.map((each) => (
          <option key={each} value={each}>
            {each}
          </option>
        ))}
      </select>
    </label>
  );
}

function screenInAddress(): Screen {
  return location.hash === '#/schedules' ? 'schedules' : 'restorable';
}
