/** A command to paste. Where the browser allows it, a button copies it. */
import { useState } from 'preact/hooks';

export function Command({ text, what }: { text: string; what: string }) {
  const [told, setTold] = useState('');
  const { clipboard } = navigator as { clipboard?: Clipboard };
  return (
    <div class="command">
      <pre>
        <code>{text}</code>
      </pre>
      {clipboard && (
        <button
          type="button"
          onClick={() =>
            void clipboard.writeText(text).then(
              () => setTold('Copied.'),
              () => setTold('The browser does not allow it. Select the text.'),
            )
          }
        >
          Copy <span class="unseen">{what}</span>
        </button>
      )}
      <span role="status">{told}</span>
    </div>
  );
}
