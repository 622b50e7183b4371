import { useEffect, useRef, useState } from "react";

type SecretProps = {
  title: string;
  /** What the secret is for, and that it is shown only now. */
  children: string;
  secret: string;
  /** Where the visitor continues. */
  onward: { label: string; address: string };
  onDone?: () => void;
};

/** A secret that is shown once, with a button that copies it. */
export function Secret({ title, children, secret, onward, onDone }: SecretProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  const text = useRef<HTMLElement>(null);
  const [told, setTold] = useState("");
  useEffect(() => heading.current?.focus(), []);

  async function copy() {
    try {
      await navigator.clipboard.writeText(secret);
      setTold("Copied.");
    } catch {
      // without https, browsers give no clipboard
      if (text.current) getSelection()?.selectAllChildren(text.current);
      setTold("The browser does not let this page copy. The secret is selected: copy it yourself.");
    }
  }

  return (
    <section className="secret" aria-label="Secret">
      <h2 ref={heading} tabIndex={-1}>
        {title}
      </h2>
      <p>{children}</p>
      <code ref={text}>{secret}</code>
      <div className="pausing">
        <button type="button" className="primary" onClick={() => void copy()}>
          Copy the secret
        </button>
        <a className="button" href={onward.address} onClick={onDone}>
          {onward.label}
        </a>
        <p className="quiet" role="status">
          {told}
        </p>
      </div>
    </section>
  );
}
