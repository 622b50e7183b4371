import { useId, useState, type ReactNode } from "react";

type OnDemandProps = {
  title: string;
  /** What stands beside the title while the section is open. */
  choices?: ReactNode;
  children: ReactNode;
};

/** A section that costs the server much, so it is read only when somebody opens it. */
export function OnDemand({ title, choices, children }: OnDemandProps) {
  const [isOpen, setIsOpen] = useState(false);
  const heading = useId();
  return (
    <section className="on-demand" aria-labelledby={heading}>
      <header>
        <h3 id={heading}>{title}</h3>
        {isOpen && choices}
        <button type="button" aria-expanded={isOpen} aria-describedby={heading} onClick={() => setIsOpen(!isOpen)}>
          {isOpen ? "Hide" : "Show"}
        </button>
      </header>
      {isOpen && children}
    </section>
  );
}
