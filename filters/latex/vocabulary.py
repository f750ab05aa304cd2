r"""Names that everyone knows: those that stay what they are, TeX's conditionals, and what TeX and LaTeX define."""

import re

from filters.latex.tokens import words

# The document's structure, its references and the frames of its text: a paper that redefines them wants another look,
# not another meaning, so that they stay what every reader knows (and what `sections` looks for).
STRUCTURE = words(
    "part chapter section subsection subsubsection paragraph subparagraph appendix appendices maketitle title author "
    "date thanks abstract keywords acknowledgments acknowledgements tableofcontents bibliography bibliographystyle "
    "printbibliography bibitem thebibliography nocite cite citep citet citealt citealp citeauthor citeyear label ref "
    "eqref pageref autoref cref Cref item caption footnote footnotetext footnotemark marginpar includegraphics epsfbox "
    "epsffile psfig epsfig documentclass documentstyle newtheorem theoremstyle index hline multicolumn left right "
    "bye csname endcsname expandafter the number relax par parbox mbox hbox vbox url href"
)
# Headings of AMS-TeX and of papers in plain TeX, where they are structure; in LaTeX they are names like others.
PLAIN_STRUCTURE = words("beginsection head subhead heading subheading Refs endRefs")
# Environments that stay what they are, for the same reason.
ENVIRONMENTS = words(
    "document abstract thebibliography proof figure figure* table table* equation equation* displaymath math align "
    "align* eqnarray eqnarray* gather gather* multline multline* split itemize enumerate description quote quotation "
    "verse center flushleft flushright tabular tabular* array minipage verbatim matrix pmatrix bmatrix cases list "
    "trivlist titlepage keywords appendix appendices comment references"
)
# TeX's and e-TeX's conditionals. What some of them ask, only a run of TeX knows.
CONDITIONALS = words(
    "if ifcat ifnum ifdim ifodd ifvmode ifhmode ifmmode ifinner ifvoid ifhbox ifvbox ifeof ifcase ifx ifdefined "
    "ifcsname iffontchar ifincsname if@twocolumn if@twoside if@filesw if@tempswa"
)
# Those that pdfLaTeX always answers in the same way.
ALWAYS = dict.fromkeys(("iftrue", "ifpdf", "ifPDFTeX", "ifpdftex"), True) | dict.fromkeys(
    ("iffalse", "ifxetex", "ifluatex", "ifXeTeX", "ifLuaTeX", "ifxetexorluatex", "ifTUTeX", "ifpdflua"), False
)

# What is defined before a paper defines anything: primitives of TeX, e-TeX and pdfTeX, and macros of plain TeX. Source:
# The TeXbook, appendices B and I. Whether a name is among them decides \ifdefined and its like.
TEX = (
    words(
        r"""
    above abovedisplayskip abovewithdelims accent adjdemerits advance afterassignment aftergroup atop badness
    baselineskip batchmode begingroup belowdisplayskip binoppenalty botmark box brokenpenalty catcode char chardef
    cleaders closein closeout clubpenalty copy count countdef cr crcr csname day deadcycles def delcode delimiter
    delimiterfactor dimen dimendef discretionary displaylimits displaystyle divide doublehyphendemerits dp dump edef
    else emergencystretch end endcsname endgroup endinput endlinechar eqno errmessage errorstopmode escapechar
    everycr everydisplay everyhbox everyjob everymath everypar everyvbox exhyphenpenalty expandafter fam fi
    finalhyphendemerits firstmark floatingpenalty font fontdimen fontname futurelet gdef global globaldefs halign
    hangafter hangindent hbadness hbox hfil hfill hfilneg hfuzz hoffset holdinginserts hrule hsize hskip hss ht
    hyphenation hyphenchar hyphenpenalty if ignorespaces immediate indent input inputlineno insert interlinepenalty
    jobname kern language lastbox lastkern lastpenalty lastskip lccode leaders left lefthyphenmin leftskip leqno let
    limits linepenalty lineskip lineskiplimit long looseness lower lowercase mag mark mathaccent mathbin mathchar
    mathchardef mathchoice mathclose mathcode mathinner mathop mathopen mathord mathpunct mathrel mathsurround
    maxdeadcycles maxdepth meaning medmuskip message mkern month moveleft moveright mskip multiply muskip muskipdef
    newlinechar noalign noboundary noexpand noindent nolimits nonscript nonstopmode nulldelimiterspace number omit
    openin openout or outer output outputpenalty over overfullrule overline overwithdelims pagedepth pagegoal
    pagetotal par parfillskip parindent parshape parskip patterns pausing penalty postdisplaypenalty
    predisplaypenalty predisplaysize pretolerance prevdepth prevgraf radical raise read relax relpenalty right
    righthyphenmin rightskip romannumeral scriptfont scriptscriptfont scriptscriptstyle scriptstyle scrollmode
    setbox setlanguage sfcode shipout show showbox skewchar skip skipdef spacefactor spaceskip span special
    splitbotmark splitfirstmark splitmaxdepth splittopskip string tabskip textfont textstyle the thickmuskip
    thinmuskip toks toksdef tolerance topmark topskip tracingall tracingonline uccode uchyph underline unhbox
    unhcopy unkern unpenalty unskip unvbox unvcopy uppercase vadjust valign vbadness vbox vcenter vfil vfill vfilneg
    vfuzz voffset vrule vsize vskip vsplit vss vtop wd widowpenalty write xdef xleaders xspaceskip year eTeXversion
    protected detokenize unexpanded numexpr dimexpr glueexpr scantokens unless readline middle pdfoutput
    pdftexversion pdfminorversion pdfliteral pdfpagewidth pdfpageheight pdfinfo pdfobj pdffilesize pdfstrcmp
    pdfcompresslevel allowbreak active aa AA ae AE alpha amalg angle approx arccos arcsin arctan arg ast asymp b
    backslash bar batchmode beginsection beta bf bgroup big Big bigcap bigcirc bigcup bigg Bigg biggl Biggl biggm
    biggr Biggr bigl Bigl bigm Bigm bigodot bigoplus bigotimes bigr Bigr bigskip bigsqcup bigtriangledown
    bigtriangleup biguplus bigvee bigwedge bmod bordermatrix bot bowtie brace brack break breve buildrel bullet bye
    c cal cap cases cdot cdotp cdots centering centerline check chi choose circ cleartabs clubsuit colon columns
    cong coprod copyright cos cosh cot coth csc cup d dag dagger dashv ddag ddagger ddot ddots deg delta Delta det
    diamond diamondsuit dim displaylines div dospecials dosupereject dot doteq dotfill dots downarrow Downarrow
    downbracefill egroup eject ell emptyset endgraf endline enskip enspace epsilon equiv eta exists exp filbreak
    flat folio footline footnote forall frenchspacing frown gamma Gamma gcd ge geq gets gg goodbreak grave H hang
    hat hbar headline heartsuit hglue hidewidth hom hookleftarrow hookrightarrow hphantom hrulefill i iff ialign Im
    imath in inf infty int iota it item itemitem j jmath joinrel jot kappa ker l L lambda Lambda land langle lbrace
    lbrack lceil ldotp ldots le leavevmode leftarrow Leftarrow leftarrowfill leftharpoondown leftharpoonup leftline
    leftrightarrow Leftrightarrow leq lfloor lg lgroup lhd lim liminf limsup line ll llap lmoustache ln lnot log
    longleftarrow Longleftarrow longleftrightarrow Longleftrightarrow longmapsto longrightarrow Longrightarrow loop
    lor lq magnification magstep magstephalf mapsto matrix max medbreak medskip mid min mit models mp mu multispan
    nabla narrower natural ne nearrow neg negthinspace neq newbox newcount newdimen newfam newhelp newif newinsert
    newlanguage newmuskip newread newskip newtoks newwrite ni nobreak nointerlineskip nonfrenchspacing nopagenumbers
    normalbaselines normalbottom not notin nu null nwarrow o O obeylines obeyspaces odot oe OE offinterlineskip oint
    oldstyle omega Omega ominus oplus oslash otimes overbrace overleftarrow overrightarrow owns P pageinsert pageno
    parallel partial perp phantom phi Phi pi Pi plainoutput pm pmatrix pmod Pr prec preceq prime prod propto psi Psi
    qquad quad raggedbottom raggedright rangle rbrace rbrack rceil Re removelastskip repeat rfloor rgroup rho
    rightarrow Rightarrow rightarrowfill rightharpoondown rightharpoonup rightleftharpoons rightline rlap rm
    rmoustache root rq S sb searrow sec setminus settabs sharp showhyphens sigma Sigma sim simeq sin sinh skew sl
    slash smallbreak smallint smallskip smash smile sp space spadesuit sqcap sqcup sqrt sqsubseteq sqsupseteq ss
    star strut subset subseteq succ succeq sum sup supereject supset supseteq surd swarrow t tan tanh tau TeX
    textindent theta Theta thinspace tilde times to top topinsert triangle triangleleft triangleright tt u underbar
    underbrace uparrow Uparrow upbracefill updownarrow Updownarrow uplus upsilon Upsilon v varepsilon varphi varpi
    varrho varsigma vartheta vdash vdots vec vee vert Vert vfootnote vglue vphantom wedge widehat widetilde wlog wp
    wr xi Xi zeta
    """
    )
    | CONDITIONALS
    | frozenset(" /,;:!>-'`^\"=~.\\{}$%&#_")
)
# What LaTeX defines besides, and the packages and classes that nearly every paper loads.
LATEX = words(
    r"""
    and addcontentsline addtocontents addtocounter addtolength alph Alph appendix arabic arraystretch author
    AtBeginDocument AtEndDocument baselinestretch begin bfseries bibitem bibliography bibliographystyle boldmath
    boldsymbol caption chaptername circle cite cleardoublepage clearpage cline color colorbox contentsname date
    DeclareMathOperator DeclareRobustCommand dfrac displaystyle documentclass documentstyle em emph end ensuremath
    eqref fbox figurename flushbottom fnsymbol footnotemark footnoterule footnotesize footnotetext frac framebox
    fussy gather glossary href hline hspace huge Huge include includegraphics includeonly index InputIfFileExists
    IfFileExists itshape label large Large LARGE LaTeX LaTeXe linebreak linewidth listfigurename listoffigures
    listoftables makeatletter makeatother makebox makeindex maketitle marginpar markboth markright mathbb mathbf
    mathcal mathfrak mathit mathnormal mathrm mathscr mathsf mathtt mbox mdseries medspace multicolumn multiput
    newcommand newcounter newenvironment newfont newlabel newlength newpage newsavebox newtheorem nocite nofiles
    nolinebreak nonumber nopagebreak normalfont normalsize numberwithin oddsidemargin onecolumn operatorname overset
    pagebreak pagenumbering pageref pagestyle paragraph parbox part protect providecommand put qedhere raggedleft
    raisebox ref refname refstepcounter renewcommand renewenvironment RequirePackage roman Roman rmfamily rule
    savebox sbox scriptsize scshape section selectfont setcounter setlength settodepth settoheight settowidth
    sffamily shortstack sloppy slshape small stackrel stepcounter subparagraph subsection subsubsection substack
    tablename tableofcontents tabcolsep tag text textasciitilde textbf textbackslash textcolor textdegree textheight
    textit textmd textnormal textrm textsc textsf textsl texttt textup textwidth tfrac thanks theequation thefigure
    thefootnote theoremstyle thepage thesection thesubsection thetable thispagestyle tiny title today topmargin
    ttfamily twocolumn typein typeout unboldmath underset upshape url usebox usecounter usepackage value vector verb
    vline vspace evensidemargin fboxrule fboxsep columnsep columnwidth cite proof abstract equation figure table
    center document itemize enumerate description thebibliography quote quotation tabular array minipage verbatim
    """
)
# Names that papers ask for, and the packages, one of which must be loaded for them to be defined.
_OF_PACKAGES = {
    "hyperref": "hypersetup autoref nameref texorpdfstring phantomsection hyperlink hypertarget hyperref pdfbookmark",
    "natbib": "citep citet citealt citealp citeauthor citeyear bibpunct setcitestyle",
    "biblatex": "printbibliography addbibresource parencite textcite autocite",
    "cleveref": "cref Cref crefname Crefname",
    "amsthm": "theoremstyle swapnumbers",
    "amsmath": "text dfrac tfrac binom DeclareMathOperator intertext operatorname",
    "amssymb": "mathbb mathfrak lesssim gtrsim square blacksquare",
    "xcolor": "textcolor color definecolor colorlet",
    "color": "textcolor color definecolor",
    "graphicx": "includegraphics graphicspath scalebox resizebox rotatebox",
    "subfigure": "subfigure subfloat",
    "subfig": "subfloat",
    "todonotes": "todo listoftodos missingfigure",
    "tikz": "tikzset usetikzlibrary tikz",
    "siunitx": "SI si num sisetup",
    "algorithmic": "STATE REQUIRE ENSURE",
    "listings": "lstset lstinline lstinputlisting",
    "physics": "qty abs norm ket bra braket dd dv pdv",
    "xspace": "xspace",
    "bm": "bm",
}
PACKAGES = {
    name: {package for package, others in _OF_PACKAGES.items() if name in others.split()}
    for names in _OF_PACKAGES.values()
    for name in names.split()
}

# A command of any package that defines another: \newcommandfoo{\name}, \DeclareSomething\name. Registers are no macros.
DEFINING = re.compile(
    r"\\(?:re|provide)?(?:new|declare|define|def|let)"
    r"(?!(?:length|counter|box|savebox|count|dimen|skip|toks|if|write|read|fam)(?![a-z]))"
    r"[A-Za-z@]*\*?\s*\{?\s*\\([A-Za-z]+)",
    re.IGNORECASE,
)
