import type { ReactNode } from "react";
import { useEffect, useRef } from "react";

import { ENDPOINTS, FIELDS, TOKENS, TRAIL, toPage, useRoute, type PageName } from "../paths";

type Section = { title: string; address: string; page: PageName; about: string };

/** The parts of the administration, in the order in which they are shown. */
export const SECTIONS: readonly Section[] = [
  { title: "Webhooks", address: ENDPOINTS, page: "endpoints", about: "Where automations send messages, and whether these arrived." },
  { title: "API tokens", address: TOKENS, page: "tokens", about: "Who may use the API, and for what." },
  { title: "Custom fields", address: FIELDS, page: "fields", about: "What the workspace knows about people beyond the usual." },
  { title: "Audit trail", address: TRAIL, page: "trail", about: "Who changed what, and when." },
];

type AdministeredProps = {
  /** A button or link beside the title. */
  add?: { label: string; page: PageName };
  title: string;
  children: ReactNode;
};

/** A page of the administration: links to its sections, and the title, which gets the focus. */
export function Administered({ add, title, children }: AdministeredProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <>
      <SectionLinks />
      <header className="titled">
        <h2 ref={heading} tabIndex={-1}>
          {title}
        </h2>
        {add && (
          <a className="button" href={toPage(add.page)}>
            {add.label}
          </a>
        )}
      </header>
      {children}
    </>
  );
}

function SectionLinks() {
  const { page } = useRoute();
  return (
    <nav className="sections" aria-label="Administration">
      <a href={toPage("administration")} aria-current={page === "administration" ? "page" : undefined}>
        Overview
      </a>
      {SECTIONS.map((it) => (
        <a key={it.page} href={it.address} aria-current={page === it.page ? "page" : undefined}>
          {it.title}
        </a>
      ))}
    </nav>
  );
}
