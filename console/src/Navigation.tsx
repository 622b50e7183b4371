import { useEffect, useRef, useState } from "react";

import {
  ADMINISTRATION,
  ADVICE,
  AUTOMATIONS,
  COMPARE,
  GROUPS,
  HOME,
  IMPORTS,
  PEOPLE,
  PLAYGROUND,
  type PageName,
  type Route,
} from "./paths";
import { ThemeChoice } from "./ThemeChoice";

type Entry = { label: string; address: string; /** The page that it opens, and the others that belong to it. */ pages: readonly PageName[] };

const ENTRIES: readonly Entry[] = [
  { label: "Segments", address: HOME, pages: ["home", "new-segment", "segment", "edit-segment", "leaving", "export"] },
  { label: "People", address: PEOPLE, pages: ["people", "new-person", "person", "edit-person"] },
  { label: "Groups", address: GROUPS, pages: ["groups", "new-group", "group", "edit-group"] },
  { label: "Automations", address: AUTOMATIONS, pages: ["automations", "new-automation", "automation", "edit-automation"] },
  { label: "Compare", address: COMPARE, pages: ["compare"] },
  { label: "Advice", address: ADVICE, pages: ["advice"] },
  { label: "Imports", address: IMPORTS, pages: ["imports", "import"] },
  {
    label: "Administration",
    address: ADMINISTRATION,
    pages: [
      ...(["administration", "endpoints", "new-endpoint", "endpoint", "edit-endpoint", "delivery"] as const),
      ...(["tokens", "new-token", "fields", "new-field", "trail"] as const),
    ],
  },
  { label: "Playground", address: PLAYGROUND, pages: [] },
];

/** Where the header leads: the console's pages, the colours, and the way out. On a narrow screen, a button opens it. */
export function Navigation({ route, onLeave }: { route: Route; onLeave: () => void }) {
  const [isOpen, setIsOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const menu = useRef<HTMLDivElement>(null);
  useEffect(() => setIsOpen(false), [route]);

  // Wherever the focus is, Escape closes the menu, and so does a press outside.
  useEffect(() => {
    if (!isOpen) return;
    const closeOnEscape = ({ key }: KeyboardEvent) => {
      if (key !== "Escape") return;
      setIsOpen(false);
      button.current?.focus();
    };
    const closeOutside = ({ target }: PointerEvent) => menu.current?.contains(target as Node) || setIsOpen(false);
    addEventListener("keydown", closeOnEscape);
    addEventListener("pointerdown", closeOutside);
    return () => {
      removeEventListener("keydown", closeOnEscape);
      removeEventListener("pointerdown", closeOutside);
    };
  }, [isOpen]);

  return (
    <div ref={menu} className="menu">
      <button
        ref={button}
        type="button"
        className="menu-button"
        aria-expanded={isOpen}
        aria-controls="menu"
        onClick={() => setIsOpen(!isOpen)}
      >
        Menu
      </button>
      <div id="menu" className={isOpen ? "menu-content open" : "menu-content"}>
        <nav aria-label="Pages">
          {ENTRIES.map(({ label, address, pages }) => (
            <a key={label} href={address} aria-current={currentOf(pages, route)}>
              {label}
            </a>
          ))}
        </nav>
        <ThemeChoice />
        <button type="button" className="plain" onClick={onLeave}>
          Forget token
        </button>
      </div>
    </div>
  );
}

/** "page" if the entry's own page is open, true if another one is that belongs to it. */
function currentOf([own, ...others]: readonly PageName[], { page }: Route): "page" | true | undefined {
  if (page === own) return "page";
  return (others as readonly string[]).includes(page) ? true : undefined;
}
