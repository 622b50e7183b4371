import { THEMES, useTheme, type Theme } from "./theme";

/** Lets the visitor choose light or dark colours. */
export function ThemeChoice() {
  const [theme, setTheme] = useTheme();
  return (
    <select className="theme" aria-label="Colours" value={theme} onChange={(event) => setTheme(event.target.value as Theme)}>
      {Object.entries(THEMES).map(([value, label]) => (
        <option key={value} value={value}>
          {label}
        </option>
      ))}
    </select>
  );
}
