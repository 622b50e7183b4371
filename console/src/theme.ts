/** The visitor's choice of colours: those of the system, or always light or dark ones. It is kept in this browser, for all tabs. */

import { useEffect, useState } from "react";

const KEY = "audience-gql:theme";
export const THEMES = { system: "System colours", light: "Light", dark: "Dark" } as const;
export type Theme = keyof typeof THEMES;

/** Apply the kept choice. Called before the page is drawn for the first time. */
export function applyTheme(): void {
  document.documentElement.dataset["theme"] = keptTheme();
}

/** The choice, and a function that changes it. A choice in another tab counts here, too. */
export function useTheme(): [Theme, (theme: Theme) => void] {
  const [theme, setTheme] = useState(keptTheme);

  useEffect(() => {
    const listen = () => {
      setTheme(keptTheme());
      applyTheme();
    };
    addEventListener("storage", listen);
    return () => removeEventListener("storage", listen);
  }, []);

  return [
    theme,
    (chosen) => {
      localStorage.setItem(KEY, chosen);
      setTheme(chosen);
      applyTheme();
    },
  ];
}

function keptTheme(): Theme {
  const kept = localStorage.getItem(KEY);
  return kept === "light" || kept === "dark" ? kept : "system";
}
