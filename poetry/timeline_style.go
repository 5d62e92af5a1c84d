package poetry

// drawingStyle colours a drawing, in the image as on the page. Every colour of the tasks has enough contrast with the
// grey of waiting and with the paper, light and dark; the numbers on the blocks are readable on all of them.
const drawingStyle = `
.rondo{--paper:#fff;--ink:#1c1c21;--soft:#5d5f69;--wait:#e3e4e9;--grid:#eeeef2;--bad:#b3261e;--on:#fff;
--t1:#2f65a7;--t2:#b8541a;--t3:#2c7d55;--t4:#7d4aa3;--t5:#a8324f;--t6:#0f7682;--t7:#80661a;--t8:#4e5866}
@media(prefers-color-scheme:dark){.rondo{--paper:#17181c;--ink:#ececf1;--soft:#a3a6b1;--wait:#34363e;--grid:#24262c;--bad:#f2857d;--on:#101114;
--t1:#7fb0ea;--t2:#eda06b;--t3:#79c9a0;--t4:#c39be6;--t5:#ee8ba4;--t6:#6cc9d4;--t7:#d8bd6a;--t8:#aab4c2}}
.rondo text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:var(--ink)}
.rondo text.h{font:600 17px system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
.rondo text.c{font:12px system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:var(--soft)}
.rondo text.s{fill:var(--soft)}
.rondo text.o{text-anchor:end;fill:var(--soft)}
.rondo text.x{fill:var(--bad)}
.rondo text.a{font-size:11px;text-anchor:middle;fill:var(--soft)}
.rondo text.n{font-size:11px;text-anchor:middle;fill:var(--on)}
.rondo .paper{fill:var(--paper)}
.rondo .w{fill:var(--wait)}
.rondo .g{stroke:var(--grid);fill:none}
.rondo .cross{stroke:var(--bad);stroke-width:2;fill:none}
.rondo .t1{fill:var(--t1)}.rondo .t2{fill:var(--t2)}.rondo .t3{fill:var(--t3)}.rondo .t4{fill:var(--t4)}
.rondo .t5{fill:var(--t5)}.rondo .t6{fill:var(--t6)}.rondo .t7{fill:var(--t7)}.rondo .t8{fill:var(--t8)}
`
