"""What licence notices say: the wording of the common ones, by which their sentences are recognised.

Names, years and punctuation are left out, and what several licences share stands once. Sources: the SPDX licence list
(standard headers and texts), and the short forms that large projects and companies put at the top of their files.
"""

WORDINGS = (
    # MIT, X11, Expat, MIT-0
    """permission is hereby granted free of charge to any person obtaining a copy of this software and associated
    documentation files the software to deal in the software without restriction including without limitation
    the rights to use copy modify merge publish distribute sublicense and or sell copies of the software and to
    permit persons to whom the software is furnished to do so subject to the following conditions the above
    copyright notice and this permission notice shall be included in all copies or substantial portions of the
    software the software is provided as is without warranty of any kind express or implied including but not
    limited to the warranties of merchantability fitness for a particular purpose and noninfringement in no
    event shall the authors or copyright holders be liable for any claim damages or other liability whether in
    an action of contract tort or otherwise arising from out of or in connection with the software or the use or
    other dealings in the software""",
    """except as contained in this notice the name of shall not be used in advertising or otherwise to promote the sale
    use or other dealings in this software without prior written authorization from""",
    # BSD, one to four clauses
    """redistribution and use in source and binary forms with or without modification are permitted provided that the
    following conditions are met redistributions of source code must retain the above copyright notice this list
    of conditions and the following disclaimer redistributions in binary form must reproduce the above copyright
    notice this list of conditions and the following disclaimer in the documentation and or other materials
    provided with the distribution neither the name of the copyright holder nor the names of its contributors
    may be used to endorse or promote products derived from this software without specific prior written
    permission this software is provided by the copyright holders and contributors as is and any express or
    implied warranties including but not limited to the implied warranties of merchantability and fitness for a
    particular purpose are disclaimed in no event shall the copyright owner or contributors be liable for any
    direct indirect incidental special exemplary or consequential damages including but not limited to
    procurement of substitute goods or services loss of use data or profits or business interruption however
    caused and on any theory of liability whether in contract strict liability or tort including negligence or
    otherwise arising in any way out of the use of this software even if advised of the possibility of such
    damage""",
    """all advertising materials mentioning features or use of this software must display the following acknowledgement
    this product includes software developed by the and its contributors the name of the author may not be used
    to endorse or promote products derived from this software without this software is provided by the author as
    is and any in no event shall the author be liable for any the views and conclusions contained in the
    software and documentation are those of the authors and should not be interpreted as representing official
    policies either expressed or implied of notice immediately at the beginning of the file without modification
    this code is derived from software contributed to by the names of its contributors nor the names of
    contributors may be used neither the names of nor the names of their contributors all rights reserved""",
    # ISC, HPND, NTP and their kin
    """permission to use copy modify and or distribute this software for any purpose with or without fee is hereby
    granted provided that the above copyright notice and this permission notice appear in all copies the
    software is provided as is and the author disclaims all warranties with regard to this software including
    all implied warranties of merchantability and fitness in no event shall the author be liable for any special
    direct indirect or consequential damages or any damages whatsoever resulting from loss of use data or
    profits whether in an action of contract negligence or other tortious action arising out of or in connection
    with the use or performance of this software""",
    """permission to use copy modify and distribute this software and its documentation for any purpose is hereby
    granted without fee provided that the above copyright notice appear in all copies and that both that
    copyright notice and this permission notice appear in supporting documentation and that the name of not be
    used in advertising or publicity pertaining to distribution of the software without specific written prior
    permission makes no representations about the suitability of this software for any purpose it is provided as
    is without express or implied warranty""",
    # Apache
    """licensed under the apache license version 2 0 the license you may not use this file except in compliance with
    the license you may obtain a copy of the license at http www apache org licenses license 2 0 https www
    apache org licenses license 2 0 txt html unless required by applicable law or agreed to in writing software
    distributed under the license is distributed on an as is basis without warranties or conditions of any kind
    either express or implied see the license for the specific language governing permissions and limitations
    under the license""",
    """licensed under the apache license version 2 0 the license you may not use this file except in compliance with
    the license a copy of the license is located at http aws amazon com apache2 0 or in the license file
    accompanying this file this file is distributed on an as is basis without warranties or conditions of any
    kind""",
    """licensed to the apache software foundation asf under one or more contributor license agreements see the notice
    file distributed with this work for additional information regarding copyright ownership the asf licenses
    this file to you under the apache license version 2 0 the license licenses this file to you under the
    licensed to under one or more contributor license agreements this file is licensed to you under the apache
    license""",
    # GNU
    """this file is part of this program is free software you can redistribute it and or modify it under the terms of
    the gnu general public license as published by the free software foundation either version 2 of the license
    or at your option any later version this program is distributed in the hope that it will be useful but
    without any warranty without even the implied warranty of merchantability or fitness for a particular
    purpose see the gnu general public license for more details you should have received a copy of the gnu
    general public license along with this program if not see http www gnu org licenses if not see https www gnu
    org licenses if not write to the free software foundation inc 59 temple place suite 330 51 franklin street
    fifth floor boston ma 02110 1301 usa 02111 1307 usa 675 mass ave cambridge ma 02139""",
    """this library is free software you can redistribute it this software is free software you can gnu lesser general
    public license as published gnu affero general public license as published gnu library general public
    license terms of the gnu lesser general terms of the gnu affero general terms of the gnu library general
    public license version 2 only version 2 as published by the free software foundation version 3 of the
    license version 2 1 of the license this library is distributed in the hope received a copy of the gnu lesser
    general public license along with this library under the terms of version of the gnu general public license
    version 2 as published see the file copying for copying conditions see the gnu lesser general public license
    see the gnu affero general public license""",
    """do not alter or remove copyright notices or this file header this code is free software you can redistribute it
    and or modify it under the terms designates this particular file as subject to the classpath exception as
    provided by in the license file that accompanied this code version 2 along with this work if not write
    please contact or visit if you need additional information or have any questions""",
    """as a special exception you may as a special exception the copyright holders give you permission to link this
    library with independent modules to produce an executable regardless of the license terms under section 7 of
    gpl version 3 you are granted additional permissions described in the gcc runtime library exception version
    3 1 as published by the free software foundation""",
    # Mozilla, Eclipse, CDDL, Boost, zlib, Artistic
    """this source code form is subject to the terms of the mozilla public license v 2 0 if a copy of the mpl was not
    distributed with this file you can obtain one at http mozilla org mpl 2 0 the contents of this file are
    subject to the mozilla public license version 1 1 the license you may not use this file except in compliance
    with the license you may obtain a copy of the license at software distributed under the license is
    distributed on an as is basis without warranty of any kind either express or implied see the license for the
    specific language governing rights and limitations under the license the original code is the initial
    developer of the original code is portions created by the initial developer are copyright c the initial
    developer contributor s alternatively the contents of this file may be used under the terms of either the
    gnu general public license version 2 or later the gpl or the gnu lesser general public license version 2 1
    or later the lgpl in which case the provisions of the gpl or the lgpl are applicable instead of those above
    if you wish to allow use of your version of this file only under the terms of either the gpl or the lgpl and
    not to allow others to use your version of this file under the terms of the mpl indicate your decision by
    deleting the provisions above and replace them with the notice and other provisions required by the gpl or
    the lgpl if you do not delete the provisions above a recipient may use your version of this file under the
    terms of any one of the mpl the gpl or the lgpl begin license block end license block""",
    """this program and the accompanying materials are made available under the terms of the eclipse public license v1
    0 which accompanies this distribution and is available at http www eclipse org legal epl v10 html this
    secondary licenses may also be made available under the following secondary licenses when the conditions for
    such availability set forth in the eclipse public license v 2 0 are satisfied contributors initial api and
    implementation all rights reserved this program and the accompanying materials""",
    """the contents of this file are subject to the terms of the common development and distribution license the
    license you can obtain a copy of the license at when distributing covered code include this cddl header in
    each file and include the license file at if applicable add the following below this cddl header with the
    fields enclosed by brackets replaced with your own identifying information""",
    """distributed under the boost software license version 1 0 see accompanying file license 1 0 txt or copy at http
    www boost org license 1 0 txt use modification and distribution are subject to the boost software license""",
    """this software is provided as is without any express or implied warranty in no event will the authors be held
    liable for any damages arising from the use of this software permission is granted to anyone to use this
    software for any purpose including commercial applications and to alter it and redistribute it freely
    subject to the following restrictions the origin of this software must not be misrepresented you must not
    claim that you wrote the original software if you use this software in a product an acknowledgment in the
    product documentation would be appreciated but is not required altered source versions must be plainly
    marked as such and must not be misrepresented as being the original software this notice may not be removed
    or altered from any source distribution""",
    """this program is free software you can redistribute it and or modify it under the same terms as perl itself this
    library is free software it may be redistributed and or modified under the same terms as perl itself this is
    free software you can redistribute it under the terms of the artistic license""",
    # public domain
    """this is free and unencumbered software released into the public domain anyone is free to copy modify publish use
    compile sell or distribute this software either in source code form or as a compiled binary for any purpose
    commercial or non commercial and by any means to the extent possible under law the author has dedicated all
    copyright and related and neighboring rights to this software to the public domain worldwide this software
    is distributed without any warranty you should have received a copy of the cc0 public domain dedication
    along with this software if not see http creativecommons org publicdomain zero 1 0 the author disclaims
    copyright to this source code in place of a legal notice here is a blessing may you do good and not evil may
    you find forgiveness for yourself and forgive others may you share freely never taking more than you give
    this file has been put into the public domain you can do whatever you want with this file this code is in
    the public domain this file is in the public domain released into the public domain placed in the public
    domain by""",
    # the short forms of companies and projects
    """use of this source code is governed by a bsd style license that can be found in the license file use of this
    source code is governed by an mit style license that can be found in the license file or at https opensource
    org licenses mit this source code is licensed under the mit license found in the license file in the root
    directory of this source tree this source code is licensed under the bsd style license found in the license
    file in the root directory of this source tree an additional grant of patent rights can be found in the
    patents file in the same directory licensed under the mit license see license txt in the project root for
    license information licensed under the mit license see license in the project root for full license
    information licensed under the apache license version 2 0 see license txt in the project root for license
    information this code is licensed under the license terms of this file may only be copied modified and
    distributed under those terms this file may not be copied modified or distributed except according to those
    terms licensed under the apache license version 2 0 or the mit license at your option this software may be
    modified and distributed under the terms of the mit license see the license file for details for the full
    copyright and license information please view the license file that was distributed with this source code
    redistributions of files must retain the above copyright notice licensed under the mit license for full
    copyright and license information please see the license txt distributed under the terms of the license
    distributed under the terms of the modified bsd license the full license is in the file license txt
    distributed with this software the full license is in the file copying licensed under the terms of the see
    the copyright file at the top level directory of this distribution see accompanying license file distributed
    under the mit software license see the accompanying file copying or http www opensource org licenses mit
    license php this source file is part of the open source project licensed under apache license v2 0 with
    runtime library exception see license txt for license information see contributors txt for the list of
    project authors part of the llvm project under the apache license v2 0 with llvm exceptions see https llvm
    org license txt for license information licensed to the net foundation under one or more agreements the net
    foundation licenses this file to you under the mit license see the license file in the project root for more
    information dual licensed under the mit and gpl licenses see the readme file for information on usage and
    redistribution see the file for information on usage and redistribution of this file and for a disclaimer of
    all warranties you may distribute this file under either of the licenses for conditions of distribution and
    use see copyright notice in redistributing this file you may do so under either license this file is
    provided under a dual license released under the mit license licensed under the mit and gpl licenses
    distributed under the mit license""",
    """licensed under the creative commons attribution this work is licensed under a creative commons unauthorized
    copying of this file via any medium is strictly prohibited proprietary and confidential this software is the
    confidential and proprietary information of you shall not disclose such confidential information and shall
    use it only in accordance with the terms of the license agreement you entered into with redistribution of
    this file is permitted under the terms copying and distribution of this file with or without modification
    are permitted in any medium without royalty provided the copyright notice and this notice are preserved this
    file is offered as is without any warranty the author s reserve all rights permission is granted to copy
    distribute and or modify this document under the terms of the gnu free documentation license version 1 3 or
    any later version published by the free software foundation with no invariant sections no front cover texts
    and no back cover texts""",
)
