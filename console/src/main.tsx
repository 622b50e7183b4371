import "@fontsource-variable/inter";
import "./style/index.css";

import { createRoot } from "react-dom/client";

import { App } from "./App";
import { applyTheme } from "./theme";

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");
applyTheme();
createRoot(root).render(<App />);
