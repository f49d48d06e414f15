// The switch between light and dark colours.
// It is a button that is pressed while they are dark.

/** @import { ThemeChoice } from "../core/theme.js" */

import { h } from "../dom/node.js";
import { themeStyles } from "./styles.js";

/** @param {Pick<ThemeChoice, "isDark" | "toggle">} theme */
export const themeSwitch = (theme) =>
    h(
        "button",
        {
            title: theme.isDark ? "Light colours" : "Dark colours",
            "aria-label": "Dark colours",
            "aria-pressed": theme.isDark,
            style: themeStyles.button,
            onClick: () => theme.toggle(),
        },
        theme.isDark ? "☀" : "☾",
    );
